package forge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Log is a crypto-agile event log (TCG PC Client Platform Firmware Profile
// 1.06, 10.2.1 and 10.4.5.1) that can be edited and encoded again.
type Log struct {
	// SpecID is the data of the first event; nil stands for the header
	// that GCE firmware writes for Banks.
	SpecID []byte
	// Banks are the algorithms of the digests in each event, in order.
	Banks  []Alg
	Events []Event
}

// Clone returns a copy whose list of events can be changed. The bytes of the
// events are shared: replace them, do not write into them.
func (l *Log) Clone() *Log {
	return &Log{SpecID: l.SpecID, Banks: slices.Clone(l.Banks), Events: slices.Clone(l.Events)}
}

// Encode writes the log as the kernel exports it.
func (l *Log) Encode() ([]byte, error) {
	spec := l.SpecID
	if spec == nil {
		spec = SpecID(l.Banks)
	}
	out := appendLE32(nil, 0, EvNoAction)
	out = append(out, make([]byte, 20)...) // SHA-1 of nothing measured
	out = append(appendLE32(out, size32(spec)), spec...)
	for i, e := range l.Events {
		var err error
		if out, err = appendEvent(out, e, l.Banks); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return out, nil
}

// SpecID returns the TCG_EfiSpecIDEvent data that announces the banks.
func SpecID(banks []Alg) []byte {
	out := []byte("Spec ID Event03\x00")
	out = append(out, 0, 0, 0, 0, 0, 2, 0, 2) // platform class, minor, major, errata, uintn
	out = appendLE32(out, size32(banks))
	for _, b := range banks {
		size := uint16(0)
		if hash, err := hashOf(b); err == nil {
			size = uint16(hash.Size()) //nolint:gosec // at most 64
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(b))
		out = binary.LittleEndian.AppendUint16(out, size)
	}
	return append(out, 0) // no vendor information
}

func appendEvent(out []byte, e Event, banks []Alg) ([]byte, error) {
	digests := make([]taggedDigest, len(banks))
	for i, b := range banks {
		d, err := e.Digest(b)
		if err != nil {
			return nil, err
		}
		digests[i] = taggedDigest{alg: uint16(b), digest: d}
	}
	return appendTagged(out, e, digests), nil
}

// taggedDigest is a TPMT_HA (TPM 2.0 Part 2, 10.3.2), little-endian in logs.
type taggedDigest struct {
	alg    uint16
	digest []byte
}

// appendTagged writes TCG_PCR_EVENT2 with whatever digests it is given.
func appendTagged(out []byte, e Event, digests []taggedDigest) []byte {
	out = appendLE32(out, e.PCR, e.Type, size32(digests))
	for _, d := range digests {
		out = append(binary.LittleEndian.AppendUint16(out, d.alg), d.digest...)
	}
	return append(appendLE32(out, size32(e.Data)), e.Data...)
}

// size32 returns a length as the formats here count: nothing that the forge
// makes comes near 4 GiB.
func size32[T any](s []T) uint32 { return uint32(len(s)) } //nolint:gosec // see above

func appendLE32(out []byte, values ...uint32) []byte {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return out
}

// ParseEvents reads a crypto-agile event log, for example a real one, so that
// it can be edited and quoted again. It reads well-formed logs: what it returns
// encodes to the same bytes. SHA-1 logs of the old format are an error, and so
// are digests of functions that the forge cannot compute.
func ParseEvents(raw []byte) (*Log, error) {
	r := &reader{rest: raw}
	if pcr, typ := r.u32(), r.u32(); pcr != 0 || typ != EvNoAction {
		return nil, errors.New("the log does not begin with a Spec ID event")
	}
	r.take(20)
	l := &Log{SpecID: r.sized()}
	if r.err != nil {
		return nil, r.err
	}
	var err error
	if l.Banks, err = parseSpecID(l.SpecID); err != nil {
		return nil, err
	}
	for len(r.rest) > 0 {
		l.Events = append(l.Events, r.event(l.Banks))
		if r.err != nil {
			return nil, fmt.Errorf("event %d: %w", len(l.Events)-1, r.err)
		}
	}
	return l, nil
}

func parseSpecID(spec []byte) ([]Alg, error) {
	if !bytes.HasPrefix(spec, []byte("Spec ID Event03\x00")) {
		return nil, errors.New("the log is not in the crypto-agile format")
	}
	r := &reader{rest: spec}
	r.take(24)
	var banks []Alg
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		banks = append(banks, Alg(r.u16()))
		r.u16()
	}
	return banks, r.err
}

// reader takes little-endian fields from a slice; after an error it returns
// zeros, and the caller looks at err once.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		if r.err == nil {
			r.err = fmt.Errorf("field of %d bytes, %d left", n, len(r.rest))
		}
		return nil
	}
	head := r.rest[:n:n]
	r.rest = r.rest[n:]
	return head
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) sized() []byte { return r.take(int(r.u32())) }

func (r *reader) event(banks []Alg) Event {
	e := Event{PCR: r.u32(), Type: r.u32(), Digests: map[Alg][]byte{}}
	if n := r.u32(); r.err == nil && int(n) != len(banks) {
		r.err = fmt.Errorf("%d digests, the header announces %d", n, len(banks))
	}
	for _, b := range banks {
		if alg := r.u16(); r.err == nil && Alg(alg) != b {
			r.err = fmt.Errorf("digest of %#04x where the header announces %#04x", alg, uint16(b))
		}
		hash, err := hashOf(b)
		if err != nil {
			r.err = err
			return Event{}
		}
		e.Digests[b] = r.take(hash.Size())
	}
	e.Data = r.sized()
	return e
}
