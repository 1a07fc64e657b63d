package evidence

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// instanceDER encodes an instance extension; edit changes its parts first.
type instanceDER struct {
	zone, project, name string
	number, id          int64
	production          []byte // content of [0], a SEQUENCE of properties; nil leaves it out
	trailing            []byte // inside of the outer SEQUENCE
	after               []byte // behind it
}

func (d instanceDER) encode(tb testing.TB) []byte {
	tb.Helper()
	var b cryptobyte.Builder
	utf8 := func(b *cryptobyte.Builder, s string) {
		b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		utf8(b, d.zone)
		b.AddASN1Int64(d.number)
		utf8(b, d.project)
		b.AddASN1Int64(d.id)
		utf8(b, d.name)
		if d.production != nil {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(d.production) })
		}
		b.AddBytes(d.trailing)
	})
	b.AddBytes(d.after)
	out, err := b.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// properties is SEQUENCE { [0] 0, [1] TRUE }.
var properties = []byte{0x30, 0x0a, 0xa0, 3, 2, 1, 0, 0xa1, 3, 1, 1, 0xff}

func genuineInstance() instanceDER {
	return instanceDER{zone: "us-central1-a", project: "google.com:a-project", name: "vm-1", number: 1, id: 1 << 62, production: properties}
}

func TestParseInstance(t *testing.T) {
	in, err := parseInstance(genuineInstance().encode(t))
	if err != nil {
		t.Fatal(err)
	}
	if in.production == nil || !*in.production || in.id != 1<<62 || *in.securityVersion != 0 {
		t.Errorf("parseInstance = %+v, want what was encoded", in)
	}
	if got, want := in.url(), "https://www.googleapis.com/compute/v1/projects/google.com:a-project/zones/us-central1-a/instances/vm-1"; got != want {
		t.Errorf("url() = %q, want %q", got, want)
	}
}

func TestParseInstanceRefuses(t *testing.T) {
	for name, edit := range map[string]func(*instanceDER){
		"bytes behind the sequence":       func(d *instanceDER) { d.after = []byte{0} },
		"bytes in the sequence":           func(d *instanceDER) { d.trailing = []byte{5, 0} },
		"negative project number":         func(d *instanceDER) { d.number = -1 },
		"project number zero":             func(d *instanceDER) { d.number = 0 },
		"negative instance id":            func(d *instanceDER) { d.id = -1 },
		"path in the name":                func(d *instanceDER) { d.name = "vm/../other" },
		"upper case in the name":          func(d *instanceDER) { d.name = "VM" },
		"line feed in the zone":           func(d *instanceDER) { d.zone = "us-central1-a\n" },
		"empty project":                   func(d *instanceDER) { d.project = "" },
		"name of 129 bytes":               func(d *instanceDER) { d.name = string(bytes.Repeat([]byte{'a'}, 129)) },
		"two property sequences":          func(d *instanceDER) { d.production = bytes.Repeat(properties, 2) },
		"bytes behind the properties":     func(d *instanceDER) { d.production = []byte{0x30, 2, 5, 0} },
		"property that is no boolean":     func(d *instanceDER) { d.production = []byte{0x30, 5, 0xa1, 3, 2, 1, 1} },
		"security version of two numbers": func(d *instanceDER) { d.production = []byte{0x30, 8, 0xa0, 6, 2, 1, 0, 2, 1, 0} },
	} {
		d := genuineInstance()
		edit(&d)
		if in, err := parseInstance(d.encode(t)); err == nil || in != nil {
			t.Errorf("%s: parseInstance = %+v, %v, want an error", name, in, err)
		}
	}
}

// TestParseInstanceWithoutProperties: what is absent is not false.
func TestParseInstanceWithoutProperties(t *testing.T) {
	d := genuineInstance()
	d.production = nil
	in, err := parseInstance(d.encode(t))
	if err != nil || in.production != nil || in.securityVersion != nil {
		t.Errorf("parseInstance = %+v, %v, want no production flag", in, err)
	}
}

func FuzzParseInstance(f *testing.F) {
	f.Add(genuineInstance().encode(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		in, err := parseInstance(der)
		if err != nil {
			if in != nil {
				t.Error("an instance beside an error")
			}
			return
		}
		if in.id == 0 || in.projectNumber == 0 || in.zone == "" || in.projectID == "" || in.name == "" {
			t.Errorf("accepts an instance without identity: %+v", in)
		}
		var raw asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) > 0 {
			t.Errorf("accepts what encoding/asn1 does not: %v", err)
		}
	})
}

func FuzzCheckGeneralNames(f *testing.F) {
	f.Add([]byte{0x30, 4, 0xa4, 2, 0x30, 0})
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		if checkGeneralNames(der) != nil {
			return
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 || len(names) == 0 {
			t.Errorf("accepts %d names, %d bytes behind them, %v", len(names), len(rest), err)
		}
	})
}
