package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/ownfile"
)

const (
	ageSuffix     = ".age"
	maxAgeFile    = 256 << 10 // bytes: a secret in armor, with post-quantum recipients
	maxRecipients = 64        // of one file
	maxIdentities = 16        // of one store
	maxIdentity   = 64 << 10  // bytes of the file with the identities
)

// ageStore is a folder with a file NAME.age for each secret, binary or in armor.
// Others may read the files but not write them: whoever knows the recipient can
// encrypt to it.
type ageStore struct {
	root *os.Root
	keys identities
}

func openAge(c storeConfig, dir string) (Store, error) {
	data, err := locate(dir, c.Identity).read(maxIdentity, ownfile.Private)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	defer wipe(data)
	keys, err := parseIdentities(data)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	root, err := locate(dir, c.Location).open(ownfile.Unwritable)
	if err != nil {
		return nil, err
	}
	return &ageStore{root, keys}, nil
}

// parseIdentities reads what age-keygen writes. The library's own errors quote
// parts of a mistyped identity and are not passed on.
func parseIdentities(data []byte) (identities, error) {
	var keys identities
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parsed, err := age.ParseIdentities(strings.NewReader(line))
		if err != nil {
			return nil, hint.New(fmt.Errorf("line %d is not an age identity", n),
				"want the lines that age-keygen writes; keys of ssh, plugins and encrypted identities are not taken")
		}
		if keys = append(keys, parsed...); len(keys) > maxIdentities {
			return nil, fmt.Errorf("more than %d identities", maxIdentities)
		}
	}
	if len(keys) == 0 {
		return nil, hint.New(errors.New("holds no identity"), "age-keygen -o FILE makes one")
	}
	return keys, nil
}

var (
	errPassphrase = errors.New("encrypted with a passphrase")
	errRecipients = fmt.Errorf("more than %d recipients", maxRecipients)
)

// identities are tried one after the other.
type identities []age.Identity

// Unwrap implements age.Identity.
func (ids identities) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) > maxRecipients {
		return nil, errRecipients
	}
	for _, s := range stanzas {
		if s.Type == "scrypt" {
			return nil, errPassphrase
		}
	}
	for _, id := range ids {
		key, err := id.Unwrap(stanzas)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (s *ageStore) Get(ctx context.Context, path string) (*Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := ownfile.Read(s.root, path+ageSuffix, maxAgeFile, ownfile.Unwritable, ownfile.Unwritable)
	if err != nil {
		return nil, missing(err)
	}
	data, err := s.keys.decrypt(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s%s: %w", path, ageSuffix, err)
	case len(data) == 0:
		return nil, errEmpty
	}
	return NewValue(data), nil
}

// decrypt returns the whole of what a file holds, or nothing: the last chunk is
// the one that says that none is missing.
func (ids identities) decrypt(file []byte) ([]byte, error) {
	var src io.Reader = bytes.NewReader(file)
	if bytes.HasPrefix(file, []byte(armor.Header)) {
		src = armor.NewReader(src)
	}
	r, err := age.Decrypt(src, ids)
	if err != nil {
		return nil, plainAgeError(err)
	}
	data, err := ownfile.ReadAll(r, min(MaxSize, len(file)))
	if err != nil {
		return nil, plainAgeError(err)
	}
	return data, nil
}

// plainAgeError says what is wrong in words that hold nothing of the file: the
// library quotes from a file that is not encrypted at all.
func plainAgeError(err error) error {
	switch {
	case errors.Is(err, errPassphrase):
		return hint.New(errPassphrase, "encrypt it to the recipient of the store's identity: age -r age1...")
	case errors.Is(err, errRecipients):
		return errRecipients
	case errors.Is(err, ownfile.ErrTooLarge):
		return fmt.Errorf("holds more than %d KiB", MaxSize>>10)
	case errors.Is(err, age.ErrIncorrectIdentity):
		return hint.New(errors.New("no identity of the store opens it"), "age-keygen -y FILE shows the recipients of an identity file")
	default:
		return hint.New(errors.New("not an age file, or a damaged one"), "encrypt the secret anew: age -r age1... -o NAME.age")
	}
}

func (s *ageStore) Close() error { return s.root.Close() }
