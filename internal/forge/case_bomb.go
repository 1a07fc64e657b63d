package forge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// bombCases: small logs that cost a careless parser gigabytes, seconds or its
// life. Their PCRs are honest wherever the log says what was measured.
func bombCases() []Case {
	small := Machine{Banks: []Alg{SHA256}} // keeps the floods small
	cases := []Case{
		{Name: "db_signature_size_zero", Check: "eventlog.semantics", edit: databaseValue("db", signatureListHeader(28, 0))},
		{Name: "db_signature_size_15", Check: "eventlog.semantics", edit: databaseValue("db", signatureListHeader(28, 15))},
		{Name: "db_list_size_huge", Check: "eventlog.semantics", edit: databaseValue("db", signatureListHeader(0xffffffff, 48))},
		{Name: "dbx_shorter_than_a_header", Check: "eventlog.semantics", edit: databaseValue("dbx", make([]byte, 20))},
		{Name: "many_algorithms", machine: small, edit: manyAlgorithms},
		{Name: "no_algorithms", edit: specID(func(s []byte) []byte { return append(binary.LittleEndian.AppendUint32(s[:24:24], 0), 0) })},
		{Name: "algorithm_twice", edit: specID(func(s []byte) []byte { copy(s[36:40], s[32:36]); return s })},
		{Name: "algorithm_size_31", edit: specID(func(s []byte) []byte { s[34] = 31; return s })},
		{Name: "algorithm_count_huge", edit: specID(func(s []byte) []byte { binary.LittleEndian.PutUint32(s[24:], 0xffffffff); return s })},
		{Name: "vendor_info_too_long", edit: specID(func(s []byte) []byte { s[len(s)-1] = 9; return s })},
		{Name: "algorithm_010b", Check: "eventlog.replay", machine: small, edit: algorithm010B},
		{Name: "digest_twice", edit: lastEvent(func(d []taggedDigest) []taggedDigest { return append(d, d[1]) })},
		{Name: "digest_missing", edit: lastEvent(func(d []taggedDigest) []taggedDigest { return slices.Delete(d, 1, 2) })},
		{Name: "event_flood", machine: small, edit: measuring(flood(Event{Type: EvNoAction}))},
		{Name: "pcr_99", edit: measuring(func(events []Event) []Event {
			return append(slices.Clone(events), Event{PCR: 99, Type: EvIPL, Data: []byte("nowhere")})
		})},
	}
	for _, tail := range []struct {
		name  string
		bytes []byte
	}{
		{"trailing_3_bytes", []byte{0, 0, 0}},
		{"padding_ff", bytes.Repeat([]byte{0xff}, 64)},
		{"padding_00", make([]byte, 64)},
		{"event_size_huge", appendLE32(nil, 9, EvIPL, 0, 0xffffffff)},
		{"digest_count_huge", appendLE32(nil, 9, EvIPL, 0xffffffff)},
	} {
		cases = append(cases, Case{Name: tail.name, edit: sending(func(a *attest.Attestation) {
			a.EventLog = append(a.EventLog, tail.bytes...)
		})})
	}
	return inRow(29, "log_bombs", "eventlog.format", cases...)
}

// signatureListHeader is an EFI_SIGNATURE_LIST without any signature.
func signatureListHeader(listSize, signatureSize uint32) []byte {
	kind := guid("a5c059a194e44aa787b5ab155c2bf072")
	return appendLE32(bytes.Clone(kind[:]), listSize, 0, signatureSize)
}

func databaseValue(name string, value []byte) func(*Machine) {
	return measuring(changing(
		func(e Event) bool { return isVariable(e, name) },
		func(e *Event) { *e = variableEvent(ImageSecurityDatabase(), name, value) },
	))
}

func specID(edit func([]byte) []byte) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Log = func(l *Log) error { l.SpecID = edit(SpecID(l.Banks)); return nil }
	}
}

// flood appends more events than a boot has.
func flood(e Event) func([]Event) []Event {
	return func(events []Event) []Event {
		return append(slices.Clone(events), slices.Repeat([]Event{e}, 20001)...)
	}
}

// manyAlgorithms announces 20000 algorithms without a digest size and then
// has one event with as many digests: looking each up in a list is quadratic.
func manyAlgorithms(m *Machine) {
	const count = 20000
	m.Edits.Attestation = func(a *attest.Attestation) error {
		l, err := ParseEvents(a.GetEventLog())
		if err != nil {
			return err
		}
		spec := l.SpecID[: len(l.SpecID)-1 : len(l.SpecID)-1]
		digests := make([]taggedDigest, count)
		for i := range digests {
			digests[i].alg = uint16(0x4000 + i)
			spec = binary.LittleEndian.AppendUint16(spec, digests[i].alg)
			spec = binary.LittleEndian.AppendUint16(spec, 0)
		}
		binary.LittleEndian.PutUint32(spec[24:], count+1)
		l.SpecID = append(spec, 0)
		raw, err := l.Encode()
		a.EventLog = appendTagged(raw, Event{Type: EvNoAction}, digests)
		return err
	}
}

// algorithm010B writes 0x010B for SHA-256 everywhere in the log: a parser
// that keeps eight bits of an algorithm does not see the difference.
func algorithm010B(m *Machine) {
	const lookAlike = 0x010b
	m.Edits.Attestation = func(a *attest.Attestation) error {
		l, err := ParseEvents(a.GetEventLog())
		if err != nil {
			return err
		}
		l.SpecID = bytes.Clone(l.SpecID)
		binary.LittleEndian.PutUint16(l.SpecID[28:], lookAlike)
		events := l.Events
		l.Events = nil
		raw, err := l.Encode()
		for _, e := range events {
			raw = appendTagged(raw, e, []taggedDigest{{alg: lookAlike, digest: e.Digests[SHA256]}})
		}
		a.EventLog = raw
		return err
	}
}

// lastEvent edits the list of digests of the last event.
func lastEvent(edit func([]taggedDigest) []taggedDigest) func(*Machine) {
	return func(m *Machine) {
		m.Edits.Attestation = func(a *attest.Attestation) error {
			l, err := ParseEvents(a.GetEventLog())
			if err != nil {
				return err
			}
			n := len(l.Events) - 1
			if n < 0 {
				return fmt.Errorf("a log without events")
			}
			last := l.Events[n]
			l.Events = l.Events[:n]
			raw, err := l.Encode()
			var digests []taggedDigest
			for _, b := range l.Banks {
				digests = append(digests, taggedDigest{alg: uint16(b), digest: last.Digests[b]})
			}
			a.EventLog = appendTagged(raw, last, edit(digests))
			return err
		}
	}
}
