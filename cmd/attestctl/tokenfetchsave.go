package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// keysFolder is where a trust directory holds the key sets of issuers.
const keysFolder = "token/keys"

// savedKeys is a key set and its file in the trust directory.
type savedKeys struct {
	path string
	set  *token.KeySet // nil: there is none
	all  *token.JWKS   // the keys of all sets of the issuer
}

// newestKeys returns the key set of the issuer that was fetched last.
func newestKeys(dir, issuer string) (savedKeys, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return savedKeys{}, unlessMissing(err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	entries, err := fs.ReadDir(root.FS(), keysFolder)
	if err != nil {
		return savedKeys{}, unlessMissing(err)
	}
	var newest savedKeys
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		name := keysFolder + "/" + e.Name()
		if err := newest.add(root, name, issuer); err != nil {
			return savedKeys{}, hint.New(fmt.Errorf("%s: %w", report.Quote(name), err), "remove the file, or name another directory")
		}
	}
	return newest, nil
}

// add reads one more file, and keeps what is of the issuer.
func (s *savedKeys) add(root *os.Root, name, issuer string) error {
	set, err := readKeySet(root, name)
	if err != nil || set.Issuer != issuer {
		return err
	}
	if s.all, err = s.all.Merge(set.JWKS); err != nil {
		return err
	}
	if s.set == nil || set.FetchedAt.After(s.set.FetchedAt) {
		s.path, s.set = name, set
	}
	return nil
}

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func readKeySet(root *os.Root, name string) (*token.KeySet, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, token.MaxJWKS+1))
	if err != nil {
		return nil, err
	}
	return token.ParseKeySet(data)
}

// writeKeys writes a whole new file or nothing, and makes the folders above it.
// It follows no link that leads out of dir.
func writeKeys(dir, name string, data []byte) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // keys of issuers are public
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // every file was closed by then
	if err := root.MkdirAll(keysFolder, 0o755); err != nil {
		return err
	}
	if _, err := root.Lstat(name); err == nil {
		return hint.New(fmt.Errorf("%s exists", name), "it was written in this second; run the command again")
	}
	temporary := path.Dir(name) + "/." + path.Base(name) + ".part"
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	syncFolder(root, keysFolder)
	return nil
}

// syncFolder makes the new name survive a crash, where the file system can.
func syncFolder(root *os.Root, name string) {
	if f, err := root.Open(name); err == nil {
		f.Sync()  //nolint:errcheck,gosec // not every file system can, and the file is whole
		f.Close() //nolint:errcheck,gosec // nothing was written
	}
}
