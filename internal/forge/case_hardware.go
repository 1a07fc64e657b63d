package forge

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// HardwareCases returns the catalogue of rows 31 to 35 of the acceptance table:
// evidence with a hardware report. It is to be verified as that of [Cases], under
// [Evidence.TrustFiles]; evidence that is Raw has no AK.
func HardwareCases() []Case {
	keys := NewKeys(DefaultSeed)
	return withKeys(keys,
		snpFloorCases(), snpChainCases(), snpTCBCases(), snpRevocationCases(), snpGenuineCases(),
		bindingCases(keys), presentCases(), tableCases(), layoutCases(), snpSignatureCases(),
		tdxCases(), tdxChainCases(), tdxSignatureCases(), collateralCases(), rtmrCases(),
	)
}

// snpMachine and tdxMachine are the honest machines of these cases.
func snpMachine() Machine {
	return Machine{Technology: AMDSEVSNP, AK: P256, Hardware: &Hardware{}}
}

func tdxMachine() Machine {
	return Machine{Technology: IntelTDX, AK: P256, Hardware: &Hardware{}}
}

// on gives the cases that have no machine of their own this one.
func on(m Machine, cases []Case) []Case {
	for i := range cases {
		if cases[i].machine.Hardware == nil {
			cases[i].machine = m
		}
	}
	return cases
}

// The functions below turn an edit of the report into one of a machine. The
// twin's description stays as it is.

func reporting(edit func(*Hardware)) func(*Machine) {
	return func(m *Machine) {
		h := *m.Hardware
		edit(&h)
		m.Hardware = &h
	}
}

func reportingSNP(edit func(*SNP)) func(*Machine) {
	return reporting(func(h *Hardware) { h.SNP = &SNP{}; edit(h.SNP) })
}

func reportingTDX(edit func(*TDX)) func(*Machine) {
	return reporting(func(h *Hardware) { h.TDX = &TDX{}; edit(h.TDX) })
}

func givenData(data [64]byte) func(*Machine) {
	return reporting(func(h *Hardware) { h.Binding, h.ReportData = BindGiven, data })
}

func boundBy(b Binding) func(*Machine) {
	return reporting(func(h *Hardware) { h.Binding = b })
}

// trusting edits the trust files by the path that they have in the directory.
func trusting(edit func(map[string][]byte) error) func(*Evidence) error {
	return func(e *Evidence) error { return edit(e.hardwareTrust) }
}

// ofOthers computes report data for a nonce or a key that is not the machine's.
// The formulas cannot fail for these keys.
func ofOthers(keys *Keys, b Binding, nonce []byte, name string) [64]byte {
	key, err := keys.Key(name, P256)
	if err != nil {
		return [64]byte{}
	}
	return mustReportData(b, nonce, key.Public())
}

func mustReportData(b Binding, nonce []byte, key crypto.PublicKey) [64]byte {
	data, err := ReportData(b, nonce, key, nil)
	if err != nil {
		return [64]byte{}
	}
	return data
}

// bindingCases: the report data has to come from the nonce, and says whether it
// comes from this machine's AK.
func bindingCases(keys *Keys) []Case {
	const other = "ak of another machine"
	nonce := caseNonce(keys)
	old := keys.bytes("nonce of last week", 32)
	long := func(n int) []byte { return keys.bytes("long nonce", n) }
	cases := []Case{
		{Name: "nonce_and_other_ak", edit: givenData(ofOthers(keys, BindNonceAK, nonce, other))},
		{Name: "workload_of_other_ak", edit: givenData(ofOthers(keys, BindWorkload, nonce, other))},
		{Name: "old_nonce", edit: givenData(ofOthers(keys, BindNonceAK, old, "ak"))},
		{Name: "old_nonce_alone", edit: givenData(ofOthers(keys, BindNonce, old, "ak"))},
		{Name: "no_report_data", edit: givenData([64]byte{})},
		{Name: "ak_without_nonce", edit: givenData(ofOthers(keys, BindNonceAK, nil, "ak"))},
		{Name: "nonce_not_filled_with_zeros", edit: givenData([64]byte(append(bytes.Clone(nonce), nonce...)))},
		{Name: "nonce_at_the_end", edit: givenData([64]byte(append(make([]byte, 32), nonce...)))},
		{Name: "workload_with_unexpected_extra", edit: reporting(func(h *Hardware) { h.Binding, h.Extra = BindWorkload, []byte("extra") })},
		{Name: "nonce_cut_to_64_bytes", Also: []string{"tpm.quote.nonce"}, edit: boundBy(BindNonce), nonce: long(65)},
		{Name: "nonce_alone", Want: "accepted: tee.bound_to is nonce, and not ak", edit: boundBy(BindNonce)},
		{Name: "nonce_of_63_bytes", Want: "accepted: tee.bound_to is nonce", edit: boundBy(BindNonce), nonce: long(63)},
		{Name: "nonce_of_64_bytes", Want: "accepted: tee.bound_to is nonce", edit: boundBy(BindNonce), nonce: long(64)},
		{Name: "workload", Want: "accepted: tee.bound_to is nonce and ak", edit: boundBy(BindWorkload)},
	}
	onTDX := slices.Clone(cases)
	for i := range onTDX {
		onTDX[i].Name += "_on_tdx"
	}
	zero := append(keys.bytes("nonce that ends in zero", 31), 0)
	return inRow(33, "snp_not_bound_to_ak", "tee.binding", slices.Concat(
		on(snpMachine(), cases), on(tdxMachine(), onTDX),
		[]Case{
			{Name: "alone_with_nonce", machine: aloneMachine(snpMachine()), form: alone, Want: "accepted: tee.bound_to is nonce"},
			{Name: "alone_bound_to_an_ak", machine: aloneMachine(snpMachine()), form: alone, edit: boundBy(BindNonceAK)},
			{Name: "nonce_that_ends_in_zero", machine: aloneMachine(snpMachine()), form: alone, nonce: zero},
			{Name: "nonce_that_ends_in_zero_on_tdx", machine: aloneMachine(tdxMachine()), form: alone, nonce: zero},
		})...)
}

// aloneMachine binds the report to the nonce: there is no AK beside it.
func aloneMachine(m Machine) Machine {
	m.Hardware = &Hardware{Binding: BindNonce}
	return m
}

// alone sends the report without the message around it.
func alone(e *Evidence) {
	if e.SNP != nil {
		e.Raw = e.SNP.Extended()
		return
	}
	e.Raw = e.TDX.Raw
}

// presentCases: what the firmware measured is backed by a report of the kind.
func presentCases() []Case {
	stripped := sending(func(a *attest.Attestation) { a.TeeAttestation = nil })
	var cases []Case
	for _, m := range []struct {
		name  string
		m     Machine
		other func(*Machine)
	}{
		{"snp", snpMachine(), reporting(func(h *Hardware) { h.TDX = &TDX{} })},
		{"tdx", tdxMachine(), reporting(func(h *Hardware) { h.SNP = &SNP{} })},
	} {
		cases = append(cases,
			Case{Name: m.name + "_stripped", machine: m.m, edit: stripped},
			Case{Name: m.name + "_of_the_other_technology", machine: m.m, edit: m.other},
			Case{Name: m.name + "_on_sev", machine: m.m, edit: func(m *Machine) {
				h := Hardware{TDX: &TDX{}}
				if m.Technology == AMDSEVSNP {
					h = Hardware{SNP: &SNP{}}
				}
				m.Technology, m.Hardware = AMDSEV, &h
			}})
	}
	return inRow(33, "snp_not_bound_to_ak", "tee.present", cases...)
}

// flipping changes one bit of what is at an offset.
func flipping(at int) func([]byte) error {
	return func(b []byte) error {
		if at >= len(b) {
			return fmt.Errorf("no byte %d in %d", at, len(b))
		}
		b[at] ^= 1
		return nil
	}
}
