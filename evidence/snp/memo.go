package snp

import (
	"crypto/sha256"
	"sync"
)

// maxMemo bounds a memo. An entry has about 50 bytes.
const maxMemo = 4096

type digest [sha256.Size]byte

func digestOf(der []byte) digest { return sha256.Sum256(der) }

// A memo remembers which issuer's signature on a certificate was verified, by
// the digest of the whole certificate. It holds no verdict: validity in time,
// revocation and the report itself are checked anew. Only certificates whose
// signature is good get in, and at the bound an arbitrary one makes room. The
// zero memo is empty and ready.
type memo struct {
	mu      sync.Mutex
	issuers map[digest]int
}

func (m *memo) get(id digest) (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.issuers[id]
	return i, ok
}

func (m *memo) put(id digest, issuer int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.issuers == nil {
		m.issuers = map[digest]int{}
	}
	if len(m.issuers) >= maxMemo {
		for old := range m.issuers {
			delete(m.issuers, old)
			break
		}
	}
	m.issuers[id] = issuer
}
