package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/attestctl/attestctl/internal/ownfile"
	"github.com/attestctl/attestctl/server/challenge"
)

const (
	// tokenSlack is how long after its end a token is still known: longer than any
	// verifier bears with.
	tokenSlack = 10 * time.Minute
	// maxTokenLife is the longest that a token may have left (maxLifetime of package
	// token, and how far its issuer's clock may be ahead).
	maxTokenLife = 24*time.Hour + time.Minute
)

// openUsed opens what knows the challenges and the tokens that were used. Where there
// is no folder the second refuses: a token may outlast the process.
func openUsed(o *Options) (challenges, tokens challenge.Used, closeUsed func() error, err error) {
	if o.UsedDir == "" {
		u, err := challenge.NewMemoryUsed(o.Now, o.Limits.Used)
		return u, new(challenge.DirUsed), func() error { return nil }, err
	}
	var roots []*os.Root
	closeAll := func() error {
		var errs []error
		for _, r := range roots {
			errs = append(errs, r.Close())
		}
		return errors.Join(errs...)
	}
	open := func(name string, longest time.Duration) (challenge.Used, error) {
		r, err := openPrivate(o.UsedDir, name)
		if err != nil {
			return nil, err
		}
		roots = append(roots, r)
		return challenge.NewDirUsed(r, o.Now, longest)
	}
	if challenges, err = open("challenges", challenge.MaxLife); err == nil {
		tokens, err = open("tokens", maxTokenLife+tokenSlack)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("folder of what was used: %w", err), closeAll())
	}
	return challenges, tokens, closeAll, nil
}

// openPrivate opens a folder below dir, which must be there, and makes it if need be.
func openPrivate(dir, name string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only opened from
	info, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	// Who may write here can put an empty folder in the place of one that is full.
	if err := ownfile.Unwritable(dir, info); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return ownfile.Enter(root, name, ownfile.Unwritable)
}
