package evidence

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/hint"
)

const (
	maxTrustFiles = 1024
	maxListSize   = 1 << 20 // as package snp reads them
)

// read adds the files of dir, which stands for the folder of the layout, and
// builds what consists of many of them.
func (t *Trust) read(dir fs.FS, folder string) error {
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if len(t.anchors)+len(t.helpers) >= maxTrustFiles {
			return fmt.Errorf("more than %d files", maxTrustFiles)
		}
		if err := t.visit(dir, name, path.Join(folder, name), d); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.assemble(dir, folder)
}

// visit reads the entry of dir with the given name, which lies at place in the
// layout.
func (t *Trust) visit(dir fs.FS, name, place string, d fs.DirEntry) error {
	data, err := readTrustFile(dir, name, place, d)
	if err != nil || data == nil {
		return err
	}
	return t.add(place, data)
}

// isPart reports whether a file is one that `attestctl token fetch-keys` has not
// written to its end, and names otherwise when it has.
func isPart(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".json.part")
}

// readTrustFile returns the content of a file of the layout, and nil for what
// the layout knows and nothing is read from: its folders, notes in README.md, and
// key sets that are being written.
func readTrustFile(dir fs.FS, name, place string, d fs.DirEntry) ([]byte, error) {
	if d.IsDir() {
		if !slices.ContainsFunc(trustFolders, func(f trustFolder) bool {
			return f.path == place || strings.HasPrefix(f.path, place+"/")
		}) {
			return nil, hint.New(errors.New("folder is not part of the layout"), layoutHint(place))
		}
		return nil, nil
	}
	row := folderOf(path.Dir(place))
	switch {
	case place == "README.md" || place == collateralFolder+"/README.md", isPart(path.Base(place)):
		return nil, nil
	case row == nil:
		return nil, hint.New(errors.New("file lies outside of the layout"), layoutHint(place))
	case !d.Type().IsRegular():
		return nil, errors.New("not a regular file")
	}
	return readCapped(dir, name, row.max)
}

func readCapped(dir fs.FS, name string, limit int) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > limit:
		return nil, fmt.Errorf("file is larger than %d KiB", limit>>10)
	case len(data) == 0:
		return nil, errors.New("file is empty")
	}
	return data, nil
}

// add adds a file at its place in the layout, unless one is there already.
func (t *Trust) add(place string, data []byte) error {
	row := folderOf(path.Dir(place))
	to := &t.helpers
	if row.anchor {
		to = &t.anchors
	}
	i, found := slices.BinarySearchFunc(*to, place, func(f TrustFile, p string) int { return cmp.Compare(f.Path, p) })
	if found {
		return nil
	}
	f, err := row.file(t, place, data)
	if err == nil {
		*to = slices.Insert(*to, i, f)
	}
	return err
}

// file reads a file of the folder and adds what is in it to t. Beside an error
// it says what it found nevertheless.
func (row *trustFolder) file(t *Trust, place string, data []byte) (TrustFile, error) {
	f := TrustFile{Path: place, Purpose: row.purpose, Data: data, DER: data}
	err := row.add(t, &f)
	return f, err
}

// assemble builds the roots and the collateral out of the files that were added
// from dir.
func (t *Trust) assemble(dir fs.FS, folder string) (err error) {
	if amd := t.certificates("amd/roots"); len(amd) > 0 && t.amd == nil {
		if t.amd, err = snp.NewRoots(amd); err != nil {
			return fmt.Errorf("amd/roots: %w", err)
		}
	}
	if intel := t.certificates("intel/roots"); len(intel) > 0 && t.intel == nil {
		t.intel = tdx.NewRoots(intel...)
	}
	if !slices.ContainsFunc(t.helpers, func(f TrustFile) bool { return f.in(collateralFolder) }) {
		return nil
	}
	if folder != collateralFolder {
		if dir, err = fs.Sub(dir, collateralFolder); err != nil {
			return err
		}
	}
	if t.collateral, err = tdx.LoadCollateral(dir); err != nil {
		return hint.New(err, collateralHint)
	}
	return nil
}

// certificates returns those of one folder.
func (t *Trust) certificates(folder string) []*x509.Certificate {
	var list []*x509.Certificate
	for _, f := range t.anchors {
		if f.in(folder) {
			list = append(list, f.Cert)
		}
	}
	return list
}
