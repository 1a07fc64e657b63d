package snp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

func TestProductOf(t *testing.T) {
	for _, tt := range []struct {
		family, model uint8
		want          snp.Product
	}{
		{0x19, 0x01, snp.Milan},
		{0x19, 0x11, snp.Genoa},
		{0x19, 0xA0, snp.Genoa},
		{0x19, 0xAF, snp.Genoa},
		{0x1A, 0x02, snp.Turin},
		{0x1A, 0x11, snp.Turin},
		{0x19, 0x21, ""}, // a client processor
		{0x17, 0x01, ""},
		{0x1A, 0x24, ""},
		{0x00, 0x00, ""},
	} {
		if got, ok := snp.ProductOf(tt.family, tt.model); got != tt.want || ok != (tt.want != "") {
			t.Errorf("ProductOf(0x%02x, 0x%02x) = %q, %v, want %q", tt.family, tt.model, got, ok, tt.want)
		}
	}
}

func TestTCBLayout(t *testing.T) {
	const raw = snp.RawTCB(0x4706_0000_0000_0201)
	milan, err := raw.Decode(snp.Milan)
	if want := (snp.TCB{Product: snp.Milan, BootLoader: 1, TEE: 2, SNP: 6, Microcode: 0x47}); err != nil || milan != want {
		t.Errorf("Decode(Milan) = %+v, %v, want %+v", milan, err, want)
	}
	if _, err := raw.Decode(snp.Turin); err == nil || !strings.Contains(err.Error(), "byte 6 is reserved on Turin") {
		t.Errorf("Decode(Turin) = %v, want byte 6 refused", err)
	}
	turin, err := snp.RawTCB(0x4700_0000_0403_0201).Decode(snp.Turin)
	if want := (snp.TCB{Product: snp.Turin, FMC: 1, BootLoader: 2, TEE: 3, SNP: 4, Microcode: 0x47}); err != nil || turin != want {
		t.Errorf("Decode(Turin) = %+v, %v, want %+v", turin, err, want)
	}
	if got := turin.Raw(); got != 0x4700_0000_0403_0201 {
		t.Errorf("Raw() = 0x%x", uint64(got))
	}
	if _, err := raw.Decode("Naples"); err == nil {
		t.Error("Decode accepts an unknown product")
	}
	for i := range 8 {
		one := snp.RawTCB(1) << (8 * i)
		for p, reserved := range map[snp.Product][]int{snp.Milan: {2, 3, 4, 5}, snp.Genoa: {2, 3, 4, 5}, snp.Turin: {4, 5, 6}} {
			if _, err := one.Decode(p); (err != nil) != slices.Contains(reserved, i) {
				t.Errorf("byte %d on %s: %v", i, p, err)
			}
		}
	}
}

func TestTCBComponents(t *testing.T) {
	if got, want := mintTurin.Components(), []snp.Component{{"fmc", 1}, {"bootloader", 2}, {"tee", 3}, {"snp", 4}, {"microcode", 200}}; !slices.Equal(got, want) {
		t.Errorf("Components() = %v, want %v", got, want)
	}
	if got, want := mintMilan.String(), "bootloader 4, tee 0, snp 24, microcode 219"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got := (snp.TCB{}).Components(); got != nil {
		t.Errorf("the zero TCB has %v", got)
	}
}

func TestAtLeast(t *testing.T) {
	for _, base := range []snp.TCB{mintMilan, mintTurin} {
		if !base.AtLeast(base) {
			t.Errorf("%v does not reach itself", base)
		}
		for i, c := range base.Components() {
			if c.SPL == 0 {
				continue
			}
			low, err := (base.Raw() - snp.RawTCB(1)<<(8*byteOf(base.Product, i))).Decode(base.Product)
			if err != nil {
				t.Fatal(err)
			}
			if low.AtLeast(base) || !base.AtLeast(low) {
				t.Errorf("%v against %v: %s is lower, AtLeast says %v, %v", low, base, c.Name, low.AtLeast(base), base.AtLeast(low))
			}
			if got := low.Below(base); len(got) != 1 || !strings.HasPrefix(got[0], c.Name+" ") {
				t.Errorf("Below = %v, want %s", got, c.Name)
			}
		}
	}
	if mintMilan.AtLeast(snp.TCB{}) || (snp.TCB{}).AtLeast(snp.TCB{}) || mintTurin.AtLeast(snp.TCB{Product: snp.Milan}) {
		t.Error("TCBs of different or no products compare")
	}
	high := mintMilan
	high.Microcode, high.SNP = 255, 0
	if high.AtLeast(mintMilan) {
		t.Error("a higher number outweighs a lower component")
	}
}

func byteOf(p snp.Product, component int) int {
	if p == snp.Turin {
		return []int{0, 1, 2, 3, 7}[component]
	}
	return []int{0, 1, 6, 7}[component]
}
