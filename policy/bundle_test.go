package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

func bundleOf(tb testing.TB, s *policy.Source) []byte {
	tb.Helper()
	b := bytes.Buffer{}
	if err := s.WriteBundle(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestBundleRoundTrip(t *testing.T) {
	s := source(t, "p.rego", sev, "sub/q.rego", "package q\n", "p_test.rego", "package p_test\n", "config.yaml", "a: 1\n")
	raw := bundleOf(t, s)
	if !bytes.Equal(raw, bundleOf(t, s)) {
		t.Error("the same policy gives two bundles")
	}
	got, err := policy.ReadBundle(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got.Sums() != s.Sums() || got.Digest() != s.Digest() {
		t.Errorf("read back %s, want %s", got.Sums(), s.Sums())
	}
}

// entries unpacks a bundle without any of the checks.
func entries(tb testing.TB, raw []byte) map[string]string {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		tb.Fatal(err)
	}
	found := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF { //nolint:errorlint // a test
			return found
		}
		if err != nil {
			tb.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		found[h.Name] = string(text)
	}
}

// pack packs entries, and then whatever more says.
func pack(tb testing.TB, found map[string]string, more ...*tar.Header) []byte {
	tb.Helper()
	b := bytes.Buffer{}
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(found[name]))}); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, found[name]); err != nil {
			tb.Fatal(err)
		}
	}
	for _, h := range more {
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.CopyN(w, zero{}, h.Size); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestReadBundleRefusesFiles(t *testing.T) {
	good := bundleOf(t, source(t, "p.rego", sev, "config.json", `{"a":1}`))
	for _, tc := range []struct {
		name string
		edit func(map[string]string)
		word string
	}{
		{"no manifest", func(f map[string]string) { delete(f, ".manifest") }, "no .manifest"},
		{"manifest of opa build", func(f map[string]string) { f[".manifest"] = `{"revision":"","roots":[""],"rego_version":1}` }, "policy build"},
		{"Rego v0", func(f map[string]string) { edit(f, `"rego_version": 1`, `"rego_version": 0`) }, "rego_version is 0"},
		{"roots", func(f map[string]string) { edit(f, `"roots": [`, `"roots": ["attest",`) }, "owns all of data"},
		{"wasm in the manifest", func(f map[string]string) { edit(f, `"roots"`, `"wasm": [], "roots"`) }, "unknown field"},
		{"key in another case", func(f map[string]string) { edit(f, `"roots"`, `"ROOTS": ["x"], "roots"`) }, "not as attestctl writes it"},
		{"white space", func(f map[string]string) { f[".manifest"] += "\n" }, "not as attestctl writes it"},
		{"key twice", func(f map[string]string) { edit(f, `"roots"`, `"revision": "", "roots"`) }, "stands twice"},
		{"digest", func(f map[string]string) { f[".manifest"] = strings.ReplaceAll(f[".manifest"], "sha256:", "sha256:0") }, "the manifest says"},
		{"revision", func(f map[string]string) { edit(f, `"revision": "`, `"revision": "1`) }, "not the digest"},
		{"changed module", func(f map[string]string) { f["p.rego"] += "allow := true\n" }, "p.rego has SHA-256"},
		{"changed config", func(f map[string]string) { f["data.json"] = `{"config":{"a":2}}` }, "data.json has SHA-256"},
		{"added module", func(f map[string]string) { f["q.rego"] = "package attest\nallow := true\n" }, "not in the manifest"},
		{"added data", func(f map[string]string) { f["sub/data.json"] = `{}` }, "not in the manifest"},
		{"missing module", func(f map[string]string) { delete(f, "p.rego") }, "not in the bundle"},
		{"changed library", func(f map[string]string) { f["attestctl/entry.rego"] += "\n" }, "entry.rego has SHA-256"},
		{"absolute path", func(f map[string]string) { f["/p.rego"] = sev }, "not a plain relative path"},
		{"parent", func(f map[string]string) { f["../p.rego"] = sev }, "not a plain relative path"},
		{"parent within", func(f map[string]string) { f["a/../p.rego"] = sev }, "not a plain relative path"},
		{"dot", func(f map[string]string) { f["./p.rego"] = sev }, "not a plain relative path"},
		{"backslash", func(f map[string]string) { f[`a\p.rego`] = sev }, "letters, digits"},
		{"compiled", func(f map[string]string) { f["policy.wasm"] = "\x00asm" }, "compiled policy"},
		{"signatures", func(f map[string]string) { f[".signatures.json"] = "{}" }, "not a plain relative path"},
	} {
		f := entries(t, good)
		tc.edit(f)
		_, err := policy.ReadBundle(bytes.NewReader(pack(t, f)))
		wantError(t, tc.name, err, tc.word)
	}
}

func edit(f map[string]string, old, with string) {
	f[".manifest"] = strings.Replace(f[".manifest"], old, with, 1)
}

func TestReadBundleRefusesEntries(t *testing.T) {
	f := entries(t, bundleOf(t, source(t, "p.rego", sev)))
	for _, tc := range []struct {
		name   string
		header tar.Header
		word   string
	}{
		{"symbolic link", tar.Header{Typeflag: tar.TypeSymlink, Name: "q.rego", Linkname: "/etc/passwd"}, "not a regular file"},
		{"hard link", tar.Header{Typeflag: tar.TypeLink, Name: "q.rego", Linkname: "p.rego"}, "not a regular file"},
		{"device", tar.Header{Typeflag: tar.TypeChar, Name: "q.rego"}, "not a regular file"},
		{"pipe", tar.Header{Typeflag: tar.TypeFifo, Name: "q.rego"}, "not a regular file"},
		{"folder", tar.Header{Typeflag: tar.TypeDir, Name: "q/"}, "not a regular file"},
		{"twice", tar.Header{Typeflag: tar.TypeReg, Name: "p.rego"}, "stands twice"},
		{"large file", tar.Header{Typeflag: tar.TypeReg, Name: "q.rego", Size: 1<<20 + 1}, "larger than"},
		{"bomb", tar.Header{Typeflag: tar.TypeReg, Name: "q.rego", Size: 1 << 26}, "larger than"},
		{"long name", tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("q", 5000)}, "a path of 5000 bytes"},
	} {
		_, err := policy.ReadBundle(bytes.NewReader(pack(t, f, &tc.header)))
		wantError(t, tc.name, err, tc.word)
	}
	headers := make([]*tar.Header, 300)
	for i := range headers {
		headers[i] = &tar.Header{Typeflag: tar.TypeReg, Name: "q" + strings.Repeat("q", i) + ".rego"}
		headers[i].Name = headers[i].Name[max(0, len(headers[i].Name)-100):]
	}
	_, err := policy.ReadBundle(bytes.NewReader(pack(t, f, headers...)))
	wantError(t, "many", err, "more than 256 files")
}

func TestReadBundleRefusesStreams(t *testing.T) {
	good := bundleOf(t, source(t, "p.rego", sev))
	if _, err := policy.ReadBundle(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		if _, err := policy.ReadBundle(bytes.NewReader(good[:i])); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", i, len(good))
		}
	}
	_, err := policy.ReadBundle(bytes.NewReader(append(bytes.Clone(good), 0)))
	wantError(t, "a byte more", err, "bytes follow the end of the gzip stream")
	_, err = policy.ReadBundle(bytes.NewReader(append(bytes.Clone(good), good...)))
	wantError(t, "a second stream", err, "bytes follow the end of the gzip stream")
	_, err = policy.ReadBundle(strings.NewReader(sev))
	wantError(t, "not gzip", err, "not a gzipped tar")
	b := bytes.Buffer{}
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, zero{}, 1<<26); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = policy.ReadBundle(&b)
	wantError(t, "a gzip bomb", err, "unpacks to more than")
}
