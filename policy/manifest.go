package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// manifest is what a bundle says of itself: OPA's .manifest, with the digests of
// attestctl in its metadata.
type manifest struct {
	digest string
	files  map[string]string // path: hex SHA-256
}

// manifestDoc is the manifest as it is written.
type manifestDoc struct {
	Revision    string   `json:"revision"`
	Roots       []string `json:"roots"`
	RegoVersion int      `json:"rego_version"`
	Metadata    struct {
		Attestctl struct {
			Digest string            `json:"digest"`
			Files  map[string]string `json:"files"`
		} `json:"attestctl"`
	} `json:"metadata"`
}

// makeManifest describes the files of a bundle. Its revision is the digest of
// the policy; as roots it owns all of data.
func makeManifest(s *Source, files map[string]string) (string, error) {
	doc := manifestDoc{Revision: s.Digest(), Roots: []string{""}, RegoVersion: 1}
	doc.Metadata.Attestctl.Digest = s.Digest()
	doc.Metadata.Attestctl.Files = map[string]string{}
	for path, text := range files {
		doc.Metadata.Attestctl.Files[path] = sha256Hex(text)
	}
	raw, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding the manifest: %w", err)
	}
	return string(raw) + "\n", nil
}

// parseManifest reads a manifest. That it is one that makeManifest made is seen
// later; here the errors are told that a person can understand. A field that is
// not ours, wasm above all, could change what OPA makes of the bundle.
func parseManifest(text string) (*manifest, error) {
	if _, err := strictJSON([]byte(text), configNumber); err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	doc := manifestDoc{}
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	m := doc.Metadata.Attestctl
	switch {
	case doc.RegoVersion != 1:
		return nil, fmt.Errorf("rego_version is %d, not 1", doc.RegoVersion)
	case !slices.Equal(doc.Roots, []string{""}):
		return nil, fmt.Errorf("roots are %q: a policy owns all of data", doc.Roots)
	case m.Digest == "" || len(m.Files) == 0:
		return nil, errors.New("no digests: metadata.attestctl is missing")
	case doc.Revision != m.Digest:
		return nil, fmt.Errorf("revision is %q, not the digest", doc.Revision)
	}
	return &manifest{m.Digest, m.Files}, nil
}

// check compares the files of a bundle with the list.
func (m *manifest) check(files map[string]string) error {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		want, listed := m.files[path]
		if !listed {
			return fmt.Errorf("%s is not in the manifest", path)
		}
		if got := sha256Hex(files[path]); got != want {
			return fmt.Errorf("%s has SHA-256 %s, but the manifest says %s", path, got, want)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		if _, ok := files[path]; !ok {
			return fmt.Errorf("%s is in the manifest but not in the bundle", path)
		}
	}
	return nil
}
