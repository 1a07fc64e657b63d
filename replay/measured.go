package replay

import (
	"bytes"
	"slices"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// measured is an extended event and what is known about its data.
type measured struct {
	*Event
	verified bool // the digest of every verified bank is H(Data)
}

// Content with a fixed spelling. Its digest is known beforehand, so that it is
// recognised even where the data of the event was changed to hide it.
var (
	separatorNormal = []byte{0, 0, 0, 0}

	// PFP 1.06, 10.4.1, EV_SEPARATOR: 00000001h reports an error; FFFFFFFFh was
	// the error value of TPM 1.2 firmware.
	separatorErrors = [][]byte{{1, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF}}

	// PFP 1.06, 10.4.4.
	actionCalling     = []byte("Calling EFI Application from Boot Option")
	actionReturning   = []byte("Returning from EFI Application from Boot Option")
	actionEBSInvoked  = []byte("Exit Boot Services Invocation")
	actionEBSSuccess  = []byte("Exit Boot Services Returned with Success")
	actionEBSFailure  = []byte("Exit Boot Services Returned with Failure")
	actionUEFIDebug   = []byte("UEFI Debug Mode")
	actionDMADisabled = []byte("DMA Protection Disabled")
)

// knownContent lists everything that decides a claim and has a known digest.
func knownContent() [][]byte {
	known := append([][]byte{
		separatorNormal, actionCalling, actionReturning, actionEBSInvoked, actionEBSSuccess,
		actionEBSFailure, actionUEFIDebug, actionDMADisabled,
	}, separatorErrors...)
	for tech := range technologies {
		known = append(known, nonHostInfo(byte(tech)))
	}
	return known
}

// measure keeps the extended events and hashes the data of those whose content
// may mean something: PCR 0 to 7. GRUB and shim (8, 9, 14) hash other things
// than the data they log.
func (r *bootReader) measure(l *Log) {
	known := r.knownDigests()
	r.events = make([]measured, 0, len(l.Events))
	for i := range l.Events {
		e := &l.Events[i]
		if !e.extended() {
			continue
		}
		m := measured{Event: e}
		if r.lacksBank(e) {
			r.found(&m, "no digest in one of the verified banks")
		}
		if e.PCR <= 7 {
			all, some := r.hashes(e, e.Data)
			m.verified = all
			switch {
			case some && !all:
				r.found(&m, "the data is what one bank measured, another bank measured something else")
			case !all && decides(e.PCR) && known.has(e, r):
				r.found(&m, "the digest is that of well-known content, the data is something else")
			}
		}
		r.events = append(r.events, m)
	}
}

func (r *bootReader) lacksBank(e *Event) bool {
	return slices.ContainsFunc(r.algs, func(alg tpm.Alg) bool { return e.Digest(alg) == nil })
}

// decides reports whether known content decides a claim in this PCR. In others
// its digest turns up by chance: in PCR 1 a boot variable may be four zeros.
func decides(pcr int) bool { return pcr == 0 || pcr == 4 || pcr == 5 || pcr == 7 }

// hashes reports whether all, and whether some, of the verified banks measured
// data.
func (r *bootReader) hashes(e *Event, data []byte) (all, some bool) {
	all = true
	for _, alg := range r.algs {
		ok := hashes(alg, data, e.Digest(alg))
		all, some = all && ok, some || ok
	}
	return all, some
}

// knownDigests holds the digests of knownContent, those of one bank after those
// of another.
type knownDigests [][]digest

func (r *bootReader) knownDigests() knownDigests {
	content := knownContent()
	known := make(knownDigests, len(r.algs))
	for i, alg := range r.algs {
		known[i] = make([]digest, len(content))
		for j, data := range content {
			known[i][j] = sum(alg, data)
		}
	}
	return known
}

func (k knownDigests) has(e *Event, r *bootReader) bool {
	for i, alg := range r.algs {
		got := e.Digest(alg)
		for j := range k[i] {
			if bytes.Equal(k[i][j].bytes(), got) {
				return true
			}
		}
	}
	return false
}

// is reports whether the event measured exactly content.
func (m *measured) is(content []byte) bool {
	return m.verified && bytes.Equal(m.Data, content)
}

// separates reports whether the event is a separator, normal or not.
func (m *measured) separates() bool {
	return m.is(separatorNormal) || m.reportsError()
}

func (m *measured) reportsError() bool {
	return m.is(separatorErrors[0]) || m.is(separatorErrors[1])
}
