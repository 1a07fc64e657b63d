package tpm_test

import (
	"bytes"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// The property of all three: on error nothing else is returned; on success
// encoding gives the input back, and go-tpm decodes it too.

func FuzzParseAttest(f *testing.F) {
	f.Add(attestOracle(f, nil))
	f.Add([]byte{0xff, 'T', 'C', 'G', 0x80, 0x18})
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := tpm.ParseAttest(in)
		if err != nil {
			if a != nil {
				t.Error("a value beside an error")
			}
			return
		}
		if !bytes.Equal(a.Append(nil), in) {
			t.Error("accepts two encodings")
		}
		if _, err := tpm2.Unmarshal[tpm2.TPMSAttest](in); err != nil {
			t.Errorf("go-tpm refuses it: %v", err)
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	f.Add([]byte{0, 0x14, 0, 0x0b, 0, 2, 1, 2})
	f.Add([]byte{0, 0x18, 0, 0x0b, 0, 1, 1, 0, 1, 2})
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := tpm.ParseSignature(in)
		if err != nil {
			if s != nil {
				t.Error("a value beside an error")
			}
			return
		}
		if !bytes.Equal(s.Append(nil), in) {
			t.Error("accepts two encodings")
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	ecc, _ := eccPublic(f)
	f.Add(tpm2.Marshal(ecc))
	f.Add(tpm2.Marshal(rsaPublic(0, bytes.Repeat([]byte{0x81}, 256))))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := tpm.ParsePublic(in)
		if err != nil {
			if p != nil {
				t.Error("a value beside an error")
			}
			return
		}
		if !bytes.Equal(p.Append(nil), in) {
			t.Error("accepts two encodings")
		}
		if key, err := p.Key(); err == nil && key == nil {
			t.Error("no key and no error")
		}
	})
}
