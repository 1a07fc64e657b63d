// Package secret holds what the server may release: the secrets, the stores they
// lie in, and the file secrets.yaml that says under which conditions each of them
// may leave.
package secret

import (
	"context"
	"errors"
	"slices"
	"time"
)

// MaxSize is the largest secret in bytes.
const MaxSize = 64 << 10

var (
	// ErrNotFound is the error for a secret that is not configured, or that its
	// store does not have.
	ErrNotFound = errors.New("no such secret")

	errEmpty = errors.New("the secret is empty")
)

// Store is where secrets lie. Its method is safe for concurrent use.
type Store interface {
	// Get returns the secret at path, which its caller closes; ErrNotFound where
	// there is none. A path is one that secrets.yaml allows.
	Get(ctx context.Context, path string) (*Value, error)
}

// Binding is a demand on how evidence and answer are tied to each other.
type Binding string

// The bindings. A secret may demand more than one.
const (
	Nonce Binding = "nonce" // the evidence answers a challenge of this server
	AK    Binding = "ak"    // what is encrypted to that key is wrapped for the TPM whose AK is in the evidence
	Key   Binding = "key"   // the secret is encrypted to the key that the challenge was made for
)

// Secret is what secrets.yaml says of one secret. Its zero value releases nothing:
// there is no store without a name.
type Secret struct {
	Name  string
	Store string // the store's name
	Path  string // where it lies in the store
	// Plaintext reports whether the secret may leave as it is. Otherwise it leaves
	// encrypted, to whom Binding says.
	Plaintext bool
	Binding   []Binding // sorted; ask Requires
	// Policy is "builtin:NAME" or a path that is absolute or starts with the folder
	// given to Open. Empty: the server's policy.
	Policy string
	Config string        // the policy's configuration, a path like that of Policy; empty: none
	MaxAge time.Duration // of the evidence; 0: the server's limit
	// Reuse reports whether the same evidence may be presented again. It never is
	// where a challenge has to be answered.
	Reuse       bool
	ContentType string // of the secret, for the client
}

// Requires reports whether the binding is demanded. Who demands the AK demands the
// key, which the secret is encrypted to before it is wrapped. Who demands the key
// demands the nonce: it is the challenge that ties the evidence to the key.
func (s Secret) Requires(b Binding) bool {
	demands := func(b Binding) bool { return slices.Contains(s.Binding, b) }
	switch b {
	case Nonce:
		return demands(Nonce) || demands(Key) || demands(AK)
	case Key:
		return demands(Key) || demands(AK)
	case AK:
		return demands(AK)
	default:
		return false
	}
}
