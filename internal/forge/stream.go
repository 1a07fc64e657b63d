package forge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// stream is an endless string of bytes derived from a label: SHA-256 in
// counter mode. It is deterministic on purpose and must never make a real key.
type stream struct {
	label [sha256.Size]byte
	block uint64
	rest  []byte
}

// newStream returns the stream that belongs to one purpose under one seed.
// The lengths keep ("ab", "c") and ("a", "bc") apart.
func newStream(seed, purpose string) *stream {
	return &stream{label: sha256.Sum256(fmt.Appendf(nil, "attestctl forge %d %s %d %s", len(seed), seed, len(purpose), purpose))}
}

// Read fills p; it never fails.
func (s *stream) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if len(s.rest) == 0 {
			block := sha256.Sum256(binary.BigEndian.AppendUint64(s.label[:], s.block))
			s.rest, s.block = block[:], s.block+1
		}
		c := copy(p[n:], s.rest)
		s.rest, n = s.rest[c:], n+c
	}
	return len(p), nil
}

// bytes returns the next n bytes.
func (s *stream) bytes(n int) []byte {
	p := make([]byte, n)
	_, _ = s.Read(p) // stream.Read never fails
	return p
}
