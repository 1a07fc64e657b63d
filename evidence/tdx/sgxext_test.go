package tdx_test

import (
	"encoding/asn1"
	"reflect"
	"slices"
	"testing"

	"github.com/attestctl/attestctl/evidence/tdx"
)

func TestParseSGXExtension(t *testing.T) {
	want := newMint(t).ext
	got, err := tdx.ParseSGXExtension(sgxDER(t, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseSGXExtension = %+v, %v, want %+v", got, err, want)
	}
	want.PlatformInstanceID = []byte("0123456789abcdef")
	pairs := append(sgxPairs(want), pair(want.PlatformInstanceID, 6), pair([]sgxPair{pair(true, 7, 1), pair(false, 7, 2)}, 7))
	got, err = tdx.ParseSGXExtension(marshalPairs(t, pairs))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseSGXExtension = %+v, %v, want %+v", got, err, want)
	}
}

func TestParseSGXExtensionRefuses(t *testing.T) {
	ext := newMint(t).ext
	tcb := func(edit func([]sgxPair) []sgxPair) []sgxPair {
		pairs := sgxPairs(ext)
		inner, _ := pairs[1].Value.([]sgxPair)
		pairs[1].Value = edit(inner)
		return pairs
	}
	svn := func(i int, v any) []sgxPair {
		return tcb(func(p []sgxPair) []sgxPair { p[i].Value = v; return p })
	}
	with := func(i int, v any) []sgxPair {
		pairs := sgxPairs(ext)
		pairs[i].Value = v
		return pairs
	}
	for _, tc := range []struct {
		name  string
		pairs []sgxPair
		want  string
	}{
		{"nothing", nil, "is missing"},
		{"no fmspc", slices.Delete(sgxPairs(ext), 3, 4), "13.1.4 is missing"},
		{"two fmspcs", append(sgxPairs(ext), pair([]byte{1, 2, 3, 4, 5, 6}, 4)), "13.1.4 occurs twice"},
		{"fmspc of 5 bytes", with(3, []byte{1, 2, 3, 4, 5}), "not an octet string of 6 bytes"},
		{"pceid of 3 bytes", with(2, []byte{1, 2, 3}), "not an octet string of 2 bytes"},
		{"ppid is a number", with(0, 1), "not an octet string of 16 bytes"},
		{"type 3", with(4, asn1.Enumerated(3)), "at most 2"},
		{"type is a number", with(4, 1), "not a small number"},
		{"unknown element", append(sgxPairs(ext), pair(1, 8)), "unknown element"},
		{"element of another tree", append(sgxPairs(ext), sgxPair{asn1.ObjectIdentifier{1, 2, 3}, 1}), "is not below"},
		{"element too deep", append(sgxPairs(ext), pair(1, 1, 1)), "is not below"},
		{"instance of 15 bytes", append(sgxPairs(ext), pair(make([]byte, 15), 6)), "not an octet string of 16 bytes"},
		{"configuration is a number", append(sgxPairs(ext), pair([]sgxPair{pair(1, 7, 1)}, 7)), "not a boolean"},
		{"no component 16", tcb(func(p []sgxPair) []sgxPair { return slices.Delete(p, 15, 16) }), "13.1.2.16 is missing"},
		{"no pcesvn", tcb(func(p []sgxPair) []sgxPair { return slices.Delete(p, 16, 17) }), "13.1.2.17 is missing"},
		{"two of component 1", tcb(func(p []sgxPair) []sgxPair { return append(p, pair(255, 2, 1)) }), "13.1.2.1 occurs twice"},
		{"component of 256", svn(0, 256), "256, at most 255"},
		{"component of -1", svn(0, -1), "negative"},
		{"component of 2^40", svn(0, 1<<40), "not a small number"},
		{"pcesvn of 65536", svn(16, 65536), "65536, at most 65535"},
		{"cpusvn is a number", svn(17, 1), "not an octet string of 16 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tdx.ParseSGXExtension(marshalPairs(t, tc.pairs))
			checkErr(t, "ParseSGXExtension", err, tc.want)
			if !reflect.DeepEqual(got, tdx.SGXExtension{}) {
				t.Errorf("%+v beside an error", got)
			}
		})
	}
	good := sgxDER(t, ext)
	_, err := tdx.ParseSGXExtension(append(slices.Clone(good), 0))
	checkErr(t, "ParseSGXExtension with a trailing byte", err, "1 bytes after the sequence")
	_, err = tdx.ParseSGXExtension([]byte{4, 0})
	checkErr(t, "ParseSGXExtension of an octet string", err, "not a sequence")
}

// On error nothing else is returned; on success the same values, encoded again,
// decode to the same.
func FuzzSGXExtension(f *testing.F) {
	f.Add(sgxDER(f, newMint(f).ext))
	f.Add([]byte{0x30, 0x80})
	f.Add([]byte{0x30, 0x03, 0x30, 0x01, 0x06})
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := tdx.ParseSGXExtension(in)
		if err != nil {
			if !reflect.DeepEqual(e, tdx.SGXExtension{}) {
				t.Error("a value beside an error")
			}
			return
		}
		// What was read, written again in the usual order, reads the same.
		pairs := sgxPairs(e)
		if e.PlatformInstanceID != nil {
			pairs = append(pairs, pair(e.PlatformInstanceID, 6))
		}
		again, err := tdx.ParseSGXExtension(marshalPairs(t, pairs))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("ParseSGXExtension = %+v, %v, want %+v", again, err, e)
		}
	})
}
