package snp_test

import (
	"bytes"
	"testing"

	"github.com/attestctl/attestctl/evidence/snp"
)

// On error nothing else is returned; on success encoding gives the input back.
func FuzzParseReport(f *testing.F) {
	for _, it := range items {
		f.Add(it.raw(f))
	}
	f.Add(encode(f, newReport(mintTurin)))
	_, c := items[0].parse(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := snp.ParseReport(in)
		if err != nil {
			if r != nil {
				t.Error("a report beside an error")
			}
			return
		}
		if got, err := r.Append(nil); err != nil || !bytes.Equal(got, in) {
			t.Errorf("accepts two encodings, or none: %v", err)
		}
		if r.VerifySignature(c) == nil && !bytes.Equal(in, items[0].raw(t)) {
			t.Error("verifies although it is not the report that the chip signed")
		}
		if err := r.Matches(c); err == nil && !r.ChipIDMasked() && !bytes.Equal(r.ChipID[:], c.HWID) {
			t.Error("matches the certificate of another chip")
		}
		if p, ok := r.Product(); ok {
			if tcb, err := r.ReportedTCB.Decode(p); err == nil && tcb.Raw() != r.ReportedTCB {
				t.Error("the TCB encodes to another one")
			}
		}
		if path, err := snp.VCEKFor(r, snp.Milan); (path == "") != (err != nil) {
			t.Errorf("VCEKFor = %q, %v", path, err)
		}
	})
}

// What is accepted has blobs that lie apart and account, with the entries, for
// every byte that is not zero.
func FuzzParseCertTable(f *testing.F) {
	f.Add(read(f, "veraison-auxblob.bin"))
	f.Add(rawTable(100, row{id(1), 72, 10}, row{id(2), 82, 10}))
	f.Add(rawTable(4096, row{id(1), 0xFFFFFF00, 0x200}))
	f.Add(make([]byte, 48))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		table, err := snp.ParseCertTable(in)
		if err != nil {
			if table != nil {
				t.Error("a table beside an error")
			}
			return
		}
		clear(in) // the blobs share its memory, so that marks show where they lie
		for _, e := range table.Entries {
			for i := range e.Data {
				e.Data[i]++
			}
		}
		head := min(24*(len(table.Entries)+1), len(in))
		for i, mark := range in {
			if mark > 1 || i < head && mark > 0 {
				t.Fatalf("byte %d belongs to two", i)
			}
			if i >= head && mark == 0 && before[i] != 0 {
				t.Fatalf("byte %d is 0x%02x and belongs to nothing", i, before[i])
			}
		}
	})
}

// What is accepted encodes back, has all that its kind has, and verifies under
// AMD's keys only if it is one of the seeds.
func FuzzParseCertificate(f *testing.F) {
	seeds := map[string]bool{}
	for _, it := range items {
		seeds[string(it.der(f))] = true
		f.Add(it.der(f))
	}
	f.Add(read(f, "trustee-vcek-invalid-legacy.der"))
	roots := genuineRoots(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := snp.ParseCertificate(in)
		if err != nil {
			if c != nil {
				t.Error("a certificate beside an error")
			}
			return
		}
		if !bytes.Equal(c.X509.Raw, in) {
			t.Error("accepts bytes that are not the certificate's")
		}
		if (c.Key == snp.VCEK) != (len(c.HWID) > 0) || (c.Key == snp.VLEK) != (c.CSPID != "") || len(c.TCB.Components()) == 0 {
			t.Errorf("%v with chip %x, provider %q, TCB %v", c.Key, c.HWID, c.CSPID, c.TCB)
		}
		if _, err := roots.VerifyChain(c, middle(c.X509)); err == nil && !seeds[string(in)] {
			t.Error("verifies under AMD's keys")
		}
	})
}
