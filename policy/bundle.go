package policy

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/internal/hint"
)

const (
	manifestPath = ".manifest"
	dataPath     = "data.json"

	// maxUnpacked bounds what a bundle unpacks to, the frames of tar included.
	maxUnpacked = maxSize + maxFiles*2048
)

const rebuild = "build the bundle with `attestctl policy build`; it writes the digests of all files"

// ReadBundle reads a policy from an OPA bundle, a gzipped tar. Its manifest must
// list the SHA-256 of every file, as WriteBundle writes it, and the bundle must
// hold exactly those: regular files with plain relative paths, Rego modules, and
// data.json with config alone. attestctl's own modules must be those of this
// program.
func ReadBundle(r io.Reader) (*Source, error) { return readBundle("bundle", r) }

func readBundle(name string, r io.Reader) (*Source, error) {
	files, err := unpack(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, ok := files[manifestPath]
	if !ok {
		return nil, hint.New(fmt.Errorf("%s: no %s", name, manifestPath), rebuild)
	}
	delete(files, manifestPath)
	m, err := parseManifest(text)
	if err != nil {
		return nil, hint.New(fmt.Errorf("%s: %s: %w", name, manifestPath, err), rebuild)
	}
	if err := m.check(files); err != nil {
		return nil, hint.New(fmt.Errorf("%s: %w", name, err), rebuild)
	}
	s, err := assembleBundle(name, maps.Clone(files))
	if err != nil {
		return nil, err
	}
	if digest := s.Digest(); digest != m.digest {
		return nil, hint.New(fmt.Errorf("%s: the policy is %s, but the manifest says %s", name, digest, m.digest), rebuild)
	}
	if want, err := makeManifest(s, files); err != nil || text != want {
		return nil, hint.New(fmt.Errorf("%s: %s is not as attestctl writes it", name, manifestPath), rebuild)
	}
	return s, nil
}

// assembleBundle sorts out what is particular to a bundle: the library travels
// with it, and the config stands in data.json.
func assembleBundle(name string, files map[string]string) (*Source, error) {
	for _, f := range append(shippedModules(), File{libraryDir + "/entry.rego", entryModule}) {
		if text, ok := files[f.Path]; ok && text != f.Text {
			return nil, hint.New(fmt.Errorf("%s: %s is not the one of this attestctl", name, f.Path), rebuild)
		}
		delete(files, f.Path)
	}
	data, ok := files[dataPath]
	if !ok {
		return nil, fmt.Errorf("%s: no %s", name, dataPath)
	}
	delete(files, dataPath)
	doc, err := strictJSON([]byte(data), configNumber)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, dataPath, err)
	}
	object, _ := doc.(map[string]any) // another type has no config
	config, ok := object["config"].(map[string]any)
	if !ok || len(object) != 1 {
		return nil, fmt.Errorf("%s: %s: the only data of a policy is the object config", name, dataPath)
	}
	for path := range files {
		if kindOf(path) != kindModule {
			return nil, hint.New(fmt.Errorf("%s: %s: not a module", name, path), adviceFor(path))
		}
	}
	s, err := assemble(name, files)
	if err != nil {
		return nil, err
	}
	return s, s.setConfig(config)
}

// unpack reads the files of a gzipped tar, and everything to its very end.
func unpack(r io.Reader) (map[string]string, error) {
	buffered := bufio.NewReader(io.LimitReader(r, maxUnpacked))
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("not a gzipped tar: %w", err)
	}
	z.Multistream(false)
	limited := &io.LimitedReader{R: z, N: maxUnpacked}
	files, err := untar(tar.NewReader(limited))
	if err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(limited)
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpacking: %w", err)
	case limited.N <= 0:
		return nil, fmt.Errorf("unpacks to more than %d bytes", maxUnpacked)
	case len(bytes.Trim(rest, "\x00")) > 0:
		return nil, errors.New("bytes follow the end of the tar")
	}
	if _, err := buffered.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.New("bytes follow the end of the gzip stream")
	}
	return files, nil
}

func untar(t *tar.Reader) (map[string]string, error) {
	files, size := map[string]string{}, 0
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the tar: %w", err)
		}
		if err := checkEntry(h); err != nil {
			return nil, err
		}
		if _, again := files[h.Name]; again || len(files) >= maxFiles {
			return nil, fmt.Errorf("%q: a file that stands twice, or more than %d files", h.Name, maxFiles)
		}
		text, err := readCapped(t, min(maxFileSize, maxSize-size))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", h.Name, err)
		}
		size += len(text)
		files[h.Name] = text
	}
}

func checkEntry(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || h.Linkname != "" {
		return fmt.Errorf("%q: not a regular file (tar type %q)", h.Name, h.Typeflag)
	}
	if h.Name == manifestPath {
		return nil
	}
	if strings.HasSuffix(h.Name, ".wasm") {
		return hint.New(fmt.Errorf("%q: a compiled policy", h.Name),
			"attestctl compiles the modules itself, so that the two cannot differ: build the bundle from .rego files")
	}
	return checkPath(h.Name)
}

// WriteBundle writes the policy as an OPA bundle that ReadBundle reads and that
// OPA can run: the modules, the library, the config, and the manifest with the
// digest of each. Tests are left out. Equal sources give equal bytes.
func (s *Source) WriteBundle(w io.Writer) error {
	files := map[string]string{dataPath: `{"config":` + string(s.raw) + "}\n"}
	for _, f := range slices.Concat(s.library, s.modules) {
		files[f.Path] = f.Text
	}
	manifest, err := makeManifest(s, files)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	write := func(name, text string) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.WriteString(t, text)
		return err
	}
	if err := write(manifestPath, manifest); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(name, files[name]); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	return nil
}

func sha256Hex(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
