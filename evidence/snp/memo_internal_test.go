package snp

import "testing"

// Remembered returns how many verified links r remembers.
func (r *Roots) Remembered() int {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	return len(r.seen.issuers)
}

func TestMemoIsBounded(t *testing.T) {
	var m memo
	for i := range 2 * maxMemo {
		id := digest{byte(i), byte(i >> 8), byte(i >> 16)}
		m.put(id, i)
		if got, ok := m.get(id); !ok || got != i {
			t.Fatalf("get of what was just put = %d, %v, want %d", got, ok, i)
		}
	}
	if got := len(m.issuers); got != maxMemo {
		t.Errorf("memo has %d entries, want %d", got, maxMemo)
	}
}
