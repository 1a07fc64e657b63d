package evidence

import (
	"encoding/binary"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

const formatEventLog = "tcg-eventlog"

// eventLog is a bare TCG event log. It can be replayed and inspected; nothing
// signs it, so that verification always refuses it.
type eventLog struct {
	raw []byte
}

// fitsEventLog reports whether b begins like the first event of a log: a PCR
// index, an event type, a digest and a size that lies within the file (TCG PFP
// 1.06, 10.2.1).
func fitsEventLog(b []byte) bool {
	const header = 4 + 4 + 20 + 4
	if len(b) < header {
		return false
	}
	pcr, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[header-4:])
	return !fitsSNP(b) && pcr <= tpm.MaxPCR && int64(size) <= int64(len(b)-header) && b[7]&0x7f == 0
}

func decodeEventLog(b []byte) (Bundle, error) {
	if _, err := replay.ParseLog(b, replay.LogOptions{}); err != nil {
		return nil, err
	}
	return &eventLog{b}, nil
}

// Format returns "tcg-eventlog".
func (*eventLog) Format() string { return formatEventLog }

// Verify implements Bundle. It refuses: a log that nobody signed proves nothing.
func (e *eventLog) Verify(trust *Trust, want Expect) (*Result, error) {
	return verifyParts(e, trust, want)
}

func (e *eventLog) parts() *vtpmEvidence {
	return &vtpmEvidence{format: formatEventLog, eventLog: e.raw}
}
