package snp

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// kdsArc is the arc of the extensions of VCEK and VLEK (AMD 57230).
var kdsArc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}

// The extensions by what follows kdsArc.
const (
	extStructVersion = "1"
	extProductName   = "2"
	extHWID          = "4"
	extCSPID         = "5"
)

func extSPL(n int) string { return fmt.Sprintf("3.%d", n) }

// kdsExtensions holds the extensions that were not read yet, by what follows
// kdsArc in their identifiers. The first failure sticks.
type kdsExtensions struct {
	values map[string][]byte
	err    error
}

// readExtensions reads all KDS extensions of c. Which must be there depends on
// the product and the kind; any other one is an error.
func (c *Certificate) readExtensions() error {
	e := c.kdsExtensions()
	version := e.number(extStructVersion)
	c.ProductName = e.text(extProductName)
	if e.err != nil {
		return e.err
	}
	product, err := productNamed(c.ProductName)
	if err != nil {
		return err
	}
	c.Product = product
	if want := c.Product.structVersion(); version != want {
		return fmt.Errorf("structure version %d, want %d for %s", version, want, c.Product)
	}
	c.TCB = e.tcb(c.Product)
	if c.Key == VLEK {
		c.CSPID = e.text(extCSPID)
	} else {
		c.HWID = e.hwid(c.Product)
	}
	return e.done()
}

// structVersion is the version of the extensions: 1 came with Turin's FMC and
// its shorter hwID.
func (p Product) structVersion() uint8 {
	if p == Turin {
		return 1
	}
	return 0
}

// kdsExtensions collects the KDS extensions. None occurs twice: crypto/x509
// refuses such a certificate.
func (c *Certificate) kdsExtensions() *kdsExtensions {
	e := &kdsExtensions{values: map[string][]byte{}}
	for _, x := range c.X509.Extensions {
		if len(x.Id) > len(kdsArc) && x.Id[:len(kdsArc)].Equal(kdsArc) {
			e.values[x.Id[len(kdsArc):].String()] = x.Value
		}
	}
	return e
}

func (e *kdsExtensions) fail(id string, err error) {
	if e.err == nil {
		e.err = fmt.Errorf("extension %s.%s: %w", kdsArc, id, err)
	}
}

func (e *kdsExtensions) take(id string) []byte {
	v, ok := e.values[id]
	if !ok {
		e.fail(id, errors.New("missing"))
	}
	delete(e.values, id)
	return v
}

// number reads an INTEGER of 0 to 255.
func (e *kdsExtensions) number(id string) uint8 {
	var n int
	if v := e.take(id); !e.decode(id, v, &n, "") {
		return 0
	}
	if n < 0 || n > 255 {
		e.fail(id, fmt.Errorf("number %d, want 0 to 255", n))
		return 0
	}
	return uint8(n)
}

// text reads an IA5String that is not empty.
func (e *kdsExtensions) text(id string) string {
	var s string
	if v := e.take(id); e.decode(id, v, &s, "ia5") && s == "" {
		e.fail(id, errors.New("empty text"))
	}
	return s
}

// hwid reads the chip's identifier. AMD writes it bare; written as the OCTET
// STRING that AMD 57230 calls it, it is two bytes longer and as clear.
func (e *kdsExtensions) hwid(p Product) []byte {
	v, size := e.take(extHWID), p.hwidSize()
	if len(v) == size+2 && v[0] == asn1.TagOctetString && int(v[1]) == size {
		v = v[2:]
	}
	if len(v) != size {
		e.fail(extHWID, fmt.Errorf("%d bytes, want %d for %s", len(v), size, p))
		return nil
	}
	return v
}

// decode demands DER: what was read must encode to the same bytes again.
func (e *kdsExtensions) decode(id string, v []byte, to any, params string) bool {
	if e.err != nil {
		return false
	}
	rest, err := asn1.UnmarshalWithParams(v, to, params)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the value", len(rest))
	}
	if err == nil {
		var again []byte
		switch p := to.(type) {
		case *int:
			again, err = asn1.Marshal(*p)
		case *string:
			again, err = asn1.MarshalWithParams(*p, params)
		}
		if err == nil && !bytes.Equal(again, v) {
			err = fmt.Errorf("%x is not the DER of the expected type", v)
		}
	}
	if err != nil {
		e.fail(id, err)
	}
	return err == nil
}

// tcb reads one extension for every byte of the product's TCB_VERSION.
func (e *kdsExtensions) tcb(p Product) TCB {
	t := TCB{Product: p}
	for _, part := range t.layout() {
		n := e.number(extSPL(part.oid))
		if part.spl != nil {
			*part.spl = n
		} else if n != 0 {
			e.fail(extSPL(part.oid), fmt.Errorf("number %d, but it is reserved on %s and must be zero", n, p))
		}
	}
	return t
}

func (e *kdsExtensions) done() error {
	if e.err != nil {
		return e.err
	}
	if unread := slices.Sorted(maps.Keys(e.values)); len(unread) > 0 {
		return fmt.Errorf("unexpected extension %s.%s", kdsArc, unread[0])
	}
	return nil
}
