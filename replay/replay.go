package replay

import (
	"bytes"
	"fmt"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Bank holds the PCR values that a log leads to in one bank.
type Bank struct {
	Alg tpm.Alg

	log  *Log
	pcrs [numPCRs]register
}

type register struct {
	value, start digest
	events       int
}

// Value returns the value of a PCR after the log's events, its start value if
// it has none, or nil for an index outside 0 to 23.
func (b *Bank) Value(pcr int) []byte {
	if pcr < 0 || pcr > maxPCR {
		return nil
	}
	return b.pcrs[pcr].value.bytes()
}

// Start returns the value a PCR is replayed from: zero, except for PCR 0 after a
// TPM2_Startup from another locality or an H-CRTM event (PFP 1.06, 10.4.5.3 and
// 10.4.1), or nil for an index outside 0 to 23. It is not measured itself, but no
// other start value leads to the quoted one.
func (b *Bank) Start(pcr int) []byte {
	if pcr < 0 || pcr > maxPCR {
		return nil
	}
	return b.pcrs[pcr].start.bytes()
}

// Events returns how many events of the log were extended into a PCR.
func (b *Bank) Events(pcr int) int {
	if pcr < 0 || pcr > maxPCR {
		return 0
	}
	return b.pcrs[pcr].events
}

// Replay extends the digests of the log into a fresh bank. It is an error if
// the log or one of its events lacks the bank, or if the log gives PCR 0 a start
// value in a way the specification does not allow. Compare the result with a
// verified quote: alone it proves nothing. In a CCEL (UEFI 2.10, 38.4.1) the PCR
// is a register index: 1 to 4 are RTMR 0 to 3.
func (l *Log) Replay(alg tpm.Alg) (*Bank, error) {
	if alg.Size() == 0 {
		return nil, fmt.Errorf("bank %v cannot be computed", alg)
	}
	if !l.has(alg) {
		return nil, fmt.Errorf("the log has no %v digests", alg)
	}
	b := &Bank{Alg: alg, log: l}
	for i := range b.pcrs {
		b.pcrs[i].value.n, b.pcrs[i].start.n = alg.Size(), alg.Size()
	}
	for i := range l.Events {
		if err := b.apply(&l.Events[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return b, nil
}

func (b *Bank) apply(e *Event) error {
	if !e.extended() {
		return b.applyLocality(e)
	}
	event := e.Digest(b.Alg)
	if event == nil {
		return fmt.Errorf("no %v digest, though the header lists that bank", b.Alg)
	}
	r := &b.pcrs[e.PCR]
	if e.kind == evHCRTM {
		// The H-CRTM sequence starts PCR 0 at 0...04 (TPM 2.0 Part 1, H-CRTM). Any
		// other event of this type would choose a start value.
		if from := r.start.buf[r.start.n-1]; e.PCR != 0 || r.events != 0 || from != 0 && from != 4 {
			return fmt.Errorf("%v is not the first event of PCR 0", e.kind)
		}
		r.setStart(4)
	}
	r.value.extend(b.Alg, event)
	r.events++
	return nil
}

// startupLocality is the signature of TCG_EfiStartupLocalityEvent (PFP 1.06,
// 10.4.5.3); one byte, the locality, follows.
var startupLocality = []byte("StartupLocality\x00")

func (b *Bank) applyLocality(e *Event) error {
	at, ok := bytes.CutPrefix(e.Data, startupLocality)
	if !ok {
		return nil
	}
	r := &b.pcrs[0]
	switch {
	case e.PCR != 0 || len(at) != 1:
		return fmt.Errorf("StartupLocality with PCR %d and %d bytes, want PCR 0 and 1 byte", e.PCR, len(at))
	case at[0] != 0 && at[0] != 3 && at[0] != 4:
		return fmt.Errorf("startup locality is %d, not 0, 3 or 4", at[0])
	case r.events != 0 || r.start.buf[r.start.n-1] != 0:
		return fmt.Errorf("StartupLocality is not before the first event of PCR 0")
	}
	r.setStart(at[0])
	return nil
}

func (r *register) setStart(last byte) {
	r.start.buf[r.start.n-1] = last
	r.value = r.start
}

// Reset reports whether value is what a PCR holds when nothing was ever extended
// into it: all zero, or all 0xFF for PCR 17 to 22 before a dynamic launch (PC
// Client TPM profile, PCR initial values). A PCR without events in the log must hold it:
// otherwise events were taken out of the log.
func Reset(pcr int, alg tpm.Alg, value []byte) bool {
	if pcr < 0 || pcr > maxPCR || alg.Size() == 0 || len(value) != alg.Size() {
		return false
	}
	var zero, ones [maxDigest]byte
	for i := range ones {
		ones[i] = 0xFF
	}
	return bytes.Equal(value, zero[:len(value)]) ||
		pcr >= 17 && pcr <= 22 && bytes.Equal(value, ones[:len(value)])
}
