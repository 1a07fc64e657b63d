package replay

import (
	"fmt"
	"math"
	"slices"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Limits of a log. The largest log in the corpus is a 1 MiB area, mostly
// padding; the longest has 166 events.
const (
	MaxLogSize = 4 << 20 // bytes
	MaxEvents  = 20_000

	maxPCR     = 23 // PC Client TPM profile: PCR 0 to 23
	numPCRs    = maxPCR + 1
	noPCRIndex = math.MaxUint32
)

// LogOptions relaxes parsing. The zero value is strict.
type LogOptions struct {
	// AllowPadding accepts an unused rest of the log area that is filled with
	// 0xFF or with 0x00 up to the last byte, as CCEL ACPI tables have it.
	AllowPadding bool
}

// Log is a parsed TCG event log. It is well formed, and not more: it proves
// nothing until [Log.Replay] gives the quoted PCR values.
type Log struct {
	Events  []Event
	Padding int // bytes after the last event, which LogOptions.AllowPadding let pass

	header []byte // the Spec ID event as it stands in the log; empty in a SHA-1 log
	banks  []bank
	kept   func(pcr int) bool // what Restrict left; nil for the whole log
}

// Algs lists the digest algorithms of the log in its order. One that attestctl
// cannot compute is listed too and has Size() 0.
func (l *Log) Algs() []tpm.Alg {
	algs := make([]tpm.Alg, len(l.banks))
	for i, b := range l.banks {
		algs[i] = b.alg
	}
	return algs
}

func (l *Log) has(alg tpm.Alg) bool {
	return slices.ContainsFunc(l.banks, func(b bank) bool { return b.alg == alg })
}

// CryptoAgile reports whether the log is of the TPM 2.0 form (PFP 1.06, 10.2.2);
// otherwise it is of the TPM 1.2 form with SHA-1 digests only (10.2.1).
func (l *Log) CryptoAgile() bool { return len(l.header) > 0 }

// ParseLog parses a TCG event log (PFP 1.06, 10). Every byte of raw is accounted
// for: an event that is cut short, carries a digest twice or of an algorithm
// that the header does not list, or belongs to a PCR above 23 is an error, and so
// is anything after the last event. Errors are of type *[ParseError]. The result
// shares memory with raw.
func ParseLog(raw []byte, o LogOptions) (*Log, error) {
	if len(raw) > MaxLogSize {
		return nil, &ParseError{-1, 0, fmt.Sprintf("log has %d bytes, the limit is %d", len(raw), MaxLogSize)}
	}
	p := logParser{c: cursor{buf: raw}, log: &Log{}, end: len(raw)}
	if err := p.parseHeader(); err != nil {
		return nil, &ParseError{-1, p.c.off, "header: " + err.Error()}
	}
	p.end = paddingStart(raw)
	// Real logs need 300 bytes an event and more; append finds room for others.
	p.log.Events = make([]Event, 0, min(MaxEvents, (p.end-min(p.end, p.c.off))/300+4))
	for p.c.off < p.end {
		start, n := p.c.off, len(p.log.Events)
		if n == MaxEvents {
			return nil, &ParseError{n, start, fmt.Sprintf("the log has more than %d events", MaxEvents)}
		}
		if err := p.parseEvent(); err != nil {
			return nil, &ParseError{n, start, err.Error()}
		}
	}
	p.log.Padding = len(raw) - p.c.off
	switch n := len(p.log.Events); {
	case p.log.Padding > 0 && !o.AllowPadding:
		return nil, &ParseError{n, p.c.off, fmt.Sprintf("%d bytes of 0x%02x follow the last event", p.log.Padding, raw[p.c.off])}
	case n == 0:
		return nil, &ParseError{-1, p.c.off, "the log has no events"}
	}
	return p.log, nil
}

// paddingStart returns the offset of the run of equal bytes, all 0xFF or all
// 0x00, that ends raw. An event may end in such bytes, so only an event boundary
// at or behind this offset is the end of the log.
func paddingStart(raw []byte) int {
	n := len(raw)
	if n == 0 || raw[n-1] != 0x00 && raw[n-1] != 0xFF {
		return n
	}
	fill := raw[n-1]
	for n > 0 && raw[n-1] == fill {
		n--
	}
	return n
}

type logParser struct {
	c   cursor
	log *Log
	end int // of the events; padding follows
}

// parseHeader decides between the two forms of the log. The header has the form
// of a SHA-1 event, so a SHA-1 log is read again from its first byte.
func (p *logParser) parseHeader() error {
	pcr, kind := p.c.u32("PCR index"), EventType(p.c.u32("event type"))
	digest := p.c.take(sha1Size, "digest")
	data := p.c.take(uint64(p.c.u32("event size")), "event data")
	if p.c.err != nil {
		return p.c.err
	}
	if !isSpecID(pcr, kind, data) {
		p.c.off = 0
		p.log.banks = []bank{{alg: tpm.AlgSHA1, size: sha1Size}}
		return nil
	}
	if slices.ContainsFunc(digest, func(b byte) bool { return b != 0 }) {
		return fmt.Errorf("the digest of the Spec ID event is not zero")
	}
	banks, err := parseSpecID(data)
	if err != nil {
		return err
	}
	p.log.banks, p.log.header = banks, p.c.buf[:p.c.off]
	return nil
}

func (p *logParser) parseEvent() error {
	start := p.c.off
	pcr, kind := p.c.u32("PCR index"), EventType(p.c.u32("event type"))
	digests, err := p.parseDigests()
	if err != nil {
		return err
	}
	data := p.c.take(uint64(p.c.u32("event size")), "event data")
	if p.c.err != nil {
		return p.c.err
	}
	index := int(pcr)
	if pcr > maxPCR {
		// Windows ends its logs with an EV_NO_ACTION event of PCR 0xFFFFFFFF.
		if pcr != noPCRIndex || kind != evNoAction {
			return fmt.Errorf("PCR index is %d (%v), the last PCR is %d", pcr, kind, maxPCR)
		}
		index = NoPCR
	}
	p.log.Events = append(p.log.Events, Event{
		Index: len(p.log.Events), PCR: index, Offset: start, Data: data,
		log: p.log, digests: digests, kind: kind,
	})
	return nil
}

// parseDigests returns the encoded digests of an event. They have to be of
// algorithms of the header, each at most once and in the header's order, so that
// no two readers can see different ones. Firmware whose header lists what it
// supports, and Windows after it, leave out banks that are not active; such a
// bank cannot be replayed.
func (p *logParser) parseDigests() ([]byte, error) {
	if !p.log.CryptoAgile() {
		return p.c.take(sha1Size, "digest"), nil
	}
	n := p.c.u32("number of digests")
	if p.c.err == nil && (n == 0 || int64(n) > int64(len(p.log.banks))) {
		return nil, fmt.Errorf("%d digests, the header lists %d", n, len(p.log.banks))
	}
	start, next := p.c.off, 0
	for i := range n {
		alg := tpm.Alg(p.c.u16("digest algorithm"))
		if p.c.err != nil {
			return nil, p.c.err
		}
		at := slices.IndexFunc(p.log.banks[next:], func(b bank) bool { return b.alg == alg })
		if at < 0 {
			return nil, fmt.Errorf("digest %d is %v, which the header does not list or not there", i, alg)
		}
		next += at + 1
		p.c.take(uint64(p.log.banks[next-1].size), "digest") //nolint:gosec // 1 to 64
	}
	return p.c.buf[start:p.c.off:p.c.off], nil
}
