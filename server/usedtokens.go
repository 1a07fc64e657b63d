package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/attestctl/attestctl/server/challenge"
)

// usedTokens knows the tokens that were used, by a file each in a folder that
// outlasts a restart and that replicas share. A challenge.Used is for challenges,
// which last minutes; a token may last a day.
type usedTokens struct {
	dir *os.Root
	now func() time.Time

	mu      sync.Mutex
	cleaned time.Time
}

const (
	// tokenSlack is how long after its end a token is still known: longer than any
	// verifier bears with.
	tokenSlack = 10 * time.Minute
	// cleanEvery is the time between two looks for tokens that are over.
	cleanEvery = 10 * time.Minute
)

// use marks the token with this ID as used. It returns nil exactly once for an ID,
// when that is on disk; challenge.ErrUsed after that.
func (u *usedTokens) use(id [32]byte, until time.Time) error {
	if u == nil {
		return errors.New("no folder for tokens that were used")
	}
	now := u.now()
	if err := u.clean(now); err != nil {
		return fmt.Errorf("cleaning the used tokens: %w", err)
	}
	// The end is part of no name: the same token has one file, whatever is said of it.
	f, err := u.dir.OpenFile(hex.EncodeToString(id[:]), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return challenge.ErrUsed
	}
	if err != nil {
		return fmt.Errorf("writing down a used token: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d\n", until.Unix())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = syncDir(u.dir)
	}
	if err != nil {
		return fmt.Errorf("writing down a used token: %w", err)
	}
	return nil
}

func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// clean removes the files of tokens that are over, now and then.
func (u *usedTokens) clean(now time.Time) error {
	if !u.mu.TryLock() {
		return nil // being done
	}
	defer u.mu.Unlock()
	if since := now.Sub(u.cleaned); since >= 0 && since < cleanEvery {
		return nil
	}
	entries, err := fs.ReadDir(u.dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !u.over(e.Name(), now) {
			continue
		}
		if err := u.dir.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) { // a replica was faster
			return err
		}
	}
	u.cleaned = now
	return nil
}

// over reports whether a file says that its token is over. One that does not say so
// is being written, or was when the power went, and stays.
func (u *usedTokens) over(name string, now time.Time) bool {
	const most = 24 // bytes
	f, err := u.dir.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read from
	data, err := io.ReadAll(io.LimitReader(f, most))
	text, whole := strings.CutSuffix(string(data), "\n")
	sec, bad := strconv.ParseInt(text, 10, 64)
	return err == nil && whole && bad == nil && now.Sub(time.Unix(sec, 0)) > tokenSlack
}

// openUsed opens what knows the challenges and the tokens that were used. The second
// is nil where there is no folder.
func openUsed(o *Options) (challenge.Used, *usedTokens, func() error, error) {
	if o.UsedDir == "" {
		u, err := challenge.NewMemoryUsed(o.Now, o.Limits.Used)
		return u, nil, func() error { return nil }, err
	}
	var roots []*os.Root
	closeAll := func() error {
		var errs []error
		for _, r := range roots {
			errs = append(errs, r.Close())
		}
		return errors.Join(errs...)
	}
	open := func(name string) (*challenge.DirUsed, error) {
		r, err := openPrivate(o.UsedDir, name)
		if err != nil {
			return nil, err
		}
		roots = append(roots, r)
		return challenge.NewDirUsed(r, o.Now) // which looks at its mode, for tokens too
	}
	challenges, err := open("challenges")
	if err == nil {
		_, err = open("tokens")
	}
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("folder of what was used: %w", err), closeAll())
	}
	return challenges, &usedTokens{dir: roots[1], now: o.Now}, closeAll, nil
}

// openPrivate opens a folder below dir, which must be there, and makes it if need be.
func openPrivate(dir, name string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only opened from
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return root.OpenRoot(name)
}
