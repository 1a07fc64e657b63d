package replay

import (
	"encoding/binary"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Event is one entry of a TCG event log (TCG_PCR_EVENT2, PFP 1.06, 10.2.2). Data
// and digests are sub-slices of the log that was parsed: do not modify them.
type Event struct {
	Index  int    // from 0; the Spec ID header is not counted
	PCR    int    // 0 to 23, or [NoPCR]
	Offset int    // of the event in the log, in bytes
	Data   []byte // measured only where a digest is the hash of it

	log     *Log
	digests []byte
	kind    EventType
}

// NoPCR is the PCR of EV_NO_ACTION events that belong to none (index 0xFFFFFFFF
// in the log).
const NoPCR = -1

// UntrustedType returns the type the log gives. It is not measured; use it to
// print an event, or to contradict it, never to choose how to read it.
func (e *Event) UntrustedType() EventType { return e.kind }

// Digest returns the digest the event extended into bank alg, or nil if the
// event has none.
func (e *Event) Digest(alg tpm.Alg) []byte {
	if e.log == nil {
		return nil
	}
	if !e.log.CryptoAgile() {
		if alg == tpm.AlgSHA1 {
			return e.digests
		}
		return nil
	}
	rest := e.digests
	for _, b := range e.log.banks { // ParseLog checked the order and the sizes
		if len(rest) == 0 {
			break
		}
		if tpm.Alg(binary.LittleEndian.Uint16(rest)) != b.alg {
			continue
		}
		if b.alg == alg {
			return rest[2 : 2+b.size : 2+b.size]
		}
		rest = rest[2+b.size:]
	}
	return nil
}

// extended reports whether the event changed a PCR (PFP 1.06, 10.4.1:
// EV_NO_ACTION is never extended).
func (e *Event) extended() bool { return e.kind != evNoAction }
