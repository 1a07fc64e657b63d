package challenge

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

// DirUsed keeps used challenges, or tokens, in a directory, one file each, which replicas
// with shared keys may have in common and which outlasts a restart. Their clocks must not
// be more than a minute apart, and the file system must keep O_EXCL (NFS does from
// version 3 on). The zero value refuses.
//
// A file has the ID in lower-case hex for a name, and holds the end in Unix seconds. The
// end is no part of the name: the same ID has one file, whatever is said of it. Whatever else there is in the directory is left alone, links too.
type DirUsed struct {
	dir     *os.Root
	now     func() time.Time
	longest time.Duration

	mu      sync.Mutex
	cleaned time.Time
	scan    *os.File // the directory while it is gone through; nil between two times
}

// NewDirUsed returns the store in dir, which stays the caller's to close. No end may be
// later than longest from now: MaxLife for challenges. It is an error if others than the
// owner may write there: they could delete what was used.
func NewDirUsed(dir *os.Root, now func() time.Time, longest time.Duration) (*DirUsed, error) {
	if dir == nil || now == nil || longest <= 0 {
		return nil, errors.New("a directory of used challenges needs a directory, a clock and a longest life")
	}
	info, err := dir.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("opening the directory of used challenges: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, hint.New(fmt.Errorf("%s can be written by others than its owner", dir.Name()), "chmod 700 "+dir.Name())
	}
	return &DirUsed{dir: dir, now: now, longest: longest}, nil
}

// Use implements Used. When it returns nil, the file is on disk. Now and then it removes
// the files of what is over; that failing is an error, too.
func (u *DirUsed) Use(id [32]byte, until time.Time) error {
	if u.dir == nil {
		return errors.New("no directory of used challenges")
	}
	now := u.now()
	if err := u.clean(now); err != nil {
		return fmt.Errorf("cleaning the used challenges: %w", err)
	}
	if err := checkEnd(until, now, u.longest); err != nil {
		return err
	}
	err := u.create(hex.EncodeToString(id[:]), until)
	switch {
	case errors.Is(err, fs.ErrExist):
		return hint.New(ErrUsed, "take a new challenge")
	case err != nil:
		return fmt.Errorf("writing down a used challenge: %w", err)
	}
	return nil
}

// create makes the file, which must not be there, and returns when it and its name
// are on disk. It stays if that fails: the challenge is lost, not free.
func (u *DirUsed) create(name string, until time.Time) error {
	// O_EXCL does not follow a link (open(2)).
	f, err := u.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", until.Unix())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := u.dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// cleanShare is how many times in a longest life a directory is cleaned. What it holds
// grows with the life; that of challenges is cleaned every minute.
const cleanShare = 144

// cleanStep is how many files are looked at on the way of one request.
const cleanStep = 256

// clean removes files of what is over, unless that was done a short time ago or is
// being done. It goes on where the last call has stopped.
func (u *DirUsed) clean(now time.Time) error {
	if !u.mu.TryLock() {
		return nil
	}
	defer u.mu.Unlock()
	if since := now.Sub(u.cleaned); u.scan == nil && since >= 0 && since < max(slack, u.longest/cleanShare) {
		return nil
	}
	done, err := u.step(now)
	if u.scan != nil && (done || err != nil) { // an error is met again from the start
		err = errors.Join(err, u.scan.Close())
		u.scan = nil
	}
	if done && err == nil {
		u.cleaned = now
	}
	return err
}

// step looks at the next files, and reports whether there are no more.
func (u *DirUsed) step(now time.Time) (done bool, err error) {
	if u.scan == nil {
		if u.scan, err = u.dir.Open("."); err != nil {
			return false, err
		}
	}
	list, err := u.scan.ReadDir(cleanStep)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	for _, e := range list {
		if err := u.cleanOne(e, now); err != nil && !errors.Is(err, fs.ErrNotExist) { // a replica was faster
			return false, err
		}
	}
	return false, err
}

func (u *DirUsed) cleanOne(e fs.DirEntry, now time.Time) error {
	if !e.Type().IsRegular() || !isID(e.Name()) {
		return nil
	}
	until, ok, err := u.end(e.Name())
	if err != nil {
		return err
	}
	if !ok { // nobody writes to it for as long as it could count
		info, err := e.Info()
		if err != nil {
			return err
		}
		until = info.ModTime().Add(u.longest)
	}
	if !over(until, now) {
		return nil
	}
	return u.dir.Remove(e.Name())
}

// isID reports whether a file's name is the ID of a challenge.
func isID(name string) bool {
	id, err := hex.DecodeString(name)
	return err == nil && len(id) == 32 && hex.EncodeToString(id) == name
}

// end reads when the challenge of a file is over. A file that does not say so is
// being written, or was when the power went: it is not ok.
func (u *DirUsed) end(name string) (until time.Time, ok bool, err error) {
	const most = 24 // bytes
	f, err := u.dir.Open(name)
	if err != nil {
		return time.Time{}, false, err
	}
	defer f.Close() //nolint:errcheck // only read from
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil || len(data) == 0 || len(data) > most || data[len(data)-1] != '\n' {
		return time.Time{}, false, err
	}
	sec, bad := strconv.ParseInt(string(data[:len(data)-1]), 10, 64)
	return time.Unix(sec, 0), bad == nil, nil
}
