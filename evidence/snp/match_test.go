package snp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestMatches(t *testing.T) {
	milan, turin := newLeaf(t, snp.VCEK, mintMilan).parse(t), newLeaf(t, snp.VCEK, mintTurin).parse(t)
	vlek := newLeaf(t, snp.VLEK, mintMilan).parse(t)
	short := *milan
	short.HWID = mintChip[:8] // the rest of the chip's identifier is zero
	for _, tt := range []struct {
		name, want string
		mismatch   bool
		tcb        snp.TCB
		cert       *snp.Certificate
		edit       func(*snp.Report)
	}{
		{name: "Milan", tcb: mintMilan, cert: milan},
		{name: "Turin", tcb: mintTurin, cert: turin},
		{name: "VLEK of any chip", tcb: mintMilan, cert: vlek},
		{name: "version 2", tcb: mintMilan, cert: milan, edit: func(r *snp.Report) { r.Version, r.CPUID = 2, snp.CPUID{} }},
		{name: "hidden chip", tcb: mintMilan, cert: milan, edit: func(r *snp.Report) { r.ChipID = [64]byte{} }},
		{
			name: "other chip", tcb: mintMilan, cert: milan, mismatch: true, want: "another chip",
			edit: func(r *snp.Report) { r.ChipID[63] = 1 },
		},
		{
			name: "other chip with masked key", tcb: mintMilan, cert: milan, mismatch: true, want: "another chip",
			edit: func(r *snp.Report) { r.ChipID[0], r.KeyInfo.MaskChipKey = 9, true },
		},
		{
			name: "longer chip id on Turin", tcb: mintTurin, cert: turin, mismatch: true, want: "another chip",
			edit: func(r *snp.Report) { r.ChipID[8] = 1 },
		},
		{
			name: "other microcode", tcb: mintMilan, cert: milan, mismatch: true,
			want: "differ in microcode (report: bootloader 4, tee 0, snp 24, microcode 218; certificate: bootloader 4, tee 0, snp 24, microcode 219)",
			edit: func(r *snp.Report) { r.ReportedTCB -= 1 << 56 },
		},
		{
			name: "advice", tcb: mintTurin, cert: turin, mismatch: true,
			want: "the one that fits is https://kdsintf.amd.com/vcek/v1/Turin/c001020304050607?fmcSPL=0&blSPL=2&teeSPL=3&snpSPL=4&ucodeSPL=200",
			edit: func(r *snp.Report) { r.ReportedTCB-- },
		},
		{
			name: "other product", tcb: mintMilan, cert: milan, mismatch: true, want: "report is of Genoa, the certificate of Milan",
			edit: func(r *snp.Report) { r.CPUID.Model = 0x11 },
		},
		{
			name: "unknown product", tcb: mintMilan, cert: milan, want: "family 0x19 model 0x21, which is no known product",
			edit: func(r *snp.Report) { r.CPUID.Model = 0x21 },
		},
		{
			name: "reserved byte in the launch TCB", tcb: mintMilan, cert: milan, want: "launch tcb",
			edit: func(r *snp.Report) { r.LaunchTCB |= 1 << 16 },
		},
		{
			name: "reserved byte in the current TCB", tcb: mintMilan, cert: milan, want: "current tcb",
			edit: func(r *snp.Report) { r.CurrentTCB |= 1 << 16 },
		},
		{
			name: "reserved byte in the committed TCB", tcb: mintMilan, cert: milan, want: "committed tcb",
			edit: func(r *snp.Report) { r.CommittedTCB |= 1 << 16 },
		},
		{
			name: "reserved byte in the reported TCB", tcb: mintMilan, cert: milan, want: "reported tcb",
			edit: func(r *snp.Report) { r.ReportedTCB |= 1 << 16 },
		},
		{name: "certificate with half a chip", tcb: mintMilan, cert: &short, mismatch: true, want: "another chip"},
		{name: "no certificate", tcb: mintMilan, want: "no VCEK or VLEK"},
		{name: "zero certificate", tcb: mintMilan, cert: new(snp.Certificate), want: "no VCEK or VLEK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReport(tt.tcb)
			if tt.edit != nil {
				tt.edit(r)
			}
			err := r.Matches(tt.cert)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Matches = %v, want %q", err, tt.want)
			}
			if errors.Is(err, snp.ErrMismatch) != tt.mismatch {
				t.Errorf("Matches = %v, a mismatch: %v", err, tt.mismatch)
			}
		})
	}
}

// TestMatchesEachComponent lowers and raises one component after the other.
func TestMatchesEachComponent(t *testing.T) {
	for _, tcb := range []snp.TCB{mintMilan, mintTurin} {
		c := newLeaf(t, snp.VCEK, tcb).parse(t)
		for i, part := range tcb.Components() {
			r := newReport(tcb)
			r.ReportedTCB ^= 1 << (8 * byteOf(tcb.Product, i))
			if err := r.Matches(c); err == nil || !strings.Contains(err.Error(), "differ in "+part.Name+" (") {
				t.Errorf("%s: Matches = %v, want %s to differ", tcb.Product, err, part.Name)
			}
		}
	}
}

func TestVCEKFor(t *testing.T) {
	v2 := newReport(mintMilan)
	v2.Version, v2.CPUID = 2, snp.CPUID{}
	unknown := newReport(mintMilan)
	unknown.CPUID.Family = 0x17
	masked := newReport(mintMilan)
	masked.ChipID = [64]byte{}
	vlek := newReport(mintMilan)
	vlek.KeyInfo.SigningKey = snp.VLEK
	chip := "c001020304050607" + strings.Repeat("0", 112)
	for _, tt := range []struct {
		name    string
		r       *snp.Report
		product snp.Product
		want    string
	}{
		{"its own product", newReport(mintMilan), snp.Genoa, "/vcek/v1/Milan/" + chip + "?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219"},
		{"product given", v2, snp.Genoa, "/vcek/v1/Genoa/" + chip + "?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219"},
		{"no product", v2, "", ""},
		{"unknown product", unknown, snp.Milan, ""},
		{"hidden chip", masked, snp.Milan, ""},
		{"VLEK", vlek, snp.Milan, ""},
	} {
		if got, err := snp.VCEKFor(tt.r, tt.product); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: VCEKFor = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}
