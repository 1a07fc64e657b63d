package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/internal/hint"
)

// Floor is the lowest TCB that is good enough, for each product. Its zero value
// is reached by nothing.
type Floor struct {
	snp map[snp.Product]snp.TCB
	tdx *tdxFloor
}

// tdxFloor holds what a quote must reach; nil asks for nothing.
type tdxFloor struct {
	teeTCBSVN     *[16]uint8
	pceSVN, qeSVN *uint16
}

// floorTDX is the name of TDX among the products.
const floorTDX = "TDX"

var errEmptyFloor = hint.New(errors.New("empty: it asks for nothing"), "write {Milan: {snp: 28, microcode: 222}}")

// ParseFloor decodes a floor, a JSON object of products:
//
//	{"Milan": {"bootloader": 4, "tee": 0, "snp": 28, "microcode": 222},
//	 "Turin": {"fmc": 1, "snp": 2},
//	 "TDX": {"tee_tcb_svn": "05010200…" or sixteen numbers, "pcesvn": 13, "qe_svn": 8}}
//
// A component that is left out has no floor. A product or a component that does
// not exist, is named twice or is out of range, a product without a component and
// no product at all are errors.
func ParseFloor(data []byte) (Floor, error) {
	f := Floor{snp: map[snp.Product]snp.TCB{}}
	d := json.NewDecoder(bytes.NewReader(data))
	n, err := eachMember(d, func(product string) error {
		if err := f.product(d, product); err != nil {
			return fmt.Errorf("%.60q: %w", product, err)
		}
		return nil
	})
	if err != nil {
		return Floor{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Floor{}, errors.New("something follows the floor")
	}
	if n == 0 {
		return Floor{}, errEmptyFloor
	}
	return f, nil
}

func (f *Floor) product(d *json.Decoder, name string) error {
	var n int
	var err error
	switch tcb := (snp.TCB{Product: snp.Product(name)}); {
	case name == floorTDX:
		f.tdx = new(tdxFloor)
		n, err = eachMember(d, func(name string) error { return readMember(d, name, f.tdx.set) })
	case tcb.Components() != nil:
		n, err = eachMember(d, func(name string) error {
			return readMember(d, name, func(name string, raw json.RawMessage) error { return setComponent(&tcb, name, raw) })
		})
		f.snp[tcb.Product] = tcb
	default:
		return hint.New(errors.New("unknown product"), "the products are Milan, Genoa, Turin and TDX; Bergamo and Siena are Genoa")
	}
	if err == nil && n == 0 {
		err = errEmptyFloor
	}
	return err
}

// eachMember reads an object and counts its members. What f is called for, it
// reads.
func eachMember(d *json.Decoder, f func(name string) error) (int, error) {
	if t, err := d.Token(); err != nil {
		return 0, plainJSON(err)
	} else if t != json.Delim('{') {
		return 0, errors.New("not an object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return 0, plainJSON(err)
		}
		name, _ := t.(string)
		if seen[name] {
			return 0, fmt.Errorf("%.60q stands twice", name)
		}
		seen[name] = true
		if err := f(name); err != nil {
			return 0, err
		}
	}
	_, err := d.Token()
	return len(seen), plainJSON(err)
}

func plainJSON(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
	}
	return err
}

func readMember(d *json.Decoder, name string, set func(string, json.RawMessage) error) error {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return plainJSON(err)
	}
	if err := set(name, raw); err != nil {
		return fmt.Errorf("%.60q: %w", name, err)
	}
	return nil
}

// setComponent sets a component that the product has.
func setComponent(t *snp.TCB, name string, raw json.RawMessage) error {
	if !slices.ContainsFunc(t.Components(), func(c snp.Component) bool { return c.Name == name }) {
		return fmt.Errorf("%s has no such component", t.Product)
	}
	n, err := parseSVN(raw, 8)
	spl := uint8(n) //nolint:gosec // parsed with 8 bits
	switch name {
	case "fmc":
		t.FMC = spl
	case "bootloader":
		t.BootLoader = spl
	case "tee":
		t.TEE = spl
	case "snp":
		t.SNP = spl
	case "microcode":
		t.Microcode = spl
	default:
		return errors.New("no floor can be set for it")
	}
	return err
}

func (f *tdxFloor) set(name string, raw json.RawMessage) (err error) {
	switch name {
	case "tee_tcb_svn":
		f.teeTCBSVN, err = parseSVNs(raw)
	case "pcesvn":
		f.pceSVN, err = parseSVN16(raw)
	case "qe_svn":
		f.qeSVN, err = parseSVN16(raw)
	default:
		return hint.New(errors.New("TDX has no such component"), "the components are tee_tcb_svn, pcesvn and qe_svn")
	}
	return err
}

// parseSVN reads a decimal number.
func parseSVN(raw json.RawMessage, bits int) (uint64, error) {
	n, err := strconv.ParseUint(string(raw), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%.40s is not a whole number from 0 to %d", raw, uint64(1)<<bits-1)
	}
	return n, nil
}

func parseSVN16(raw json.RawMessage) (*uint16, error) {
	n, err := parseSVN(raw, 16)
	return new(uint16(n)), err //nolint:gosec // parsed with 16 bits
}

// parseSVNs reads sixteen numbers, or as many bytes as hex digits.
func parseSVNs(raw json.RawMessage) (*[16]uint8, error) {
	var svns [16]uint8
	var text string
	var list []json.RawMessage
	switch {
	case json.Unmarshal(raw, &text) == nil && raw[0] == '"':
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(svns) {
			return nil, fmt.Errorf("%.60q is not %d bytes in hex", text, len(svns))
		}
		return (*[16]uint8)(b), nil
	case json.Unmarshal(raw, &list) != nil || len(list) != len(svns):
		return nil, fmt.Errorf("want a list of %d numbers, or as many bytes as hex digits in quotes", len(svns))
	}
	for i, one := range list {
		n, err := parseSVN(one, 8)
		if err != nil {
			return nil, err
		}
		svns[i] = uint8(n) //nolint:gosec // parsed with 8 bits
	}
	return &svns, nil
}

// Below says in what TCBs do not reach the floor, such as "reported: snp 8 < 24";
// nothing means that they do. Compared are the reported, committed and launch TCB
// of an SEV-SNP report, and every SVN of a TDX quote by itself: for TDX 1.5 those
// at launch and those of now. A product without a floor, one that is not known and
// a TCB that does not decode do not reach any.
func (t *TCBs) Below(floor Floor) []string {
	switch {
	case t == nil:
	case t.SNP != nil:
		return t.SNP.below(floor)
	case t.TDX != nil && floor.tdx == nil:
		return []string{"no floor for TDX"}
	case t.TDX != nil:
		return t.TDX.below(floor.tdx)
	}
	return []string{"no hardware report"}
}

func (t *SNPTCBs) below(floor Floor) []string {
	want, ok := floor.snp[snp.Product(t.Product)]
	switch {
	case t.Product == "":
		return []string{"no floor applies: " + t.NoProduct}
	case t.ProductFrom == "certificate" && !t.Certificate.Fits:
		return []string{"no floor applies: the product is the certificate's, which does not fit the report"}
	case !ok:
		return []string{"no floor for " + t.Product}
	}
	var list []string
	for _, l := range []struct {
		name  string
		level *TCBLevel
	}{{"reported", &t.Reported}, {"committed", &t.Committed}, {"launch", &t.Launch}} {
		if l.level.Error != "" {
			list = append(list, l.name+": "+l.level.Error)
			continue
		}
		for _, what := range l.level.tcb.Below(want) {
			list = append(list, l.name+": "+what)
		}
	}
	return list
}

func (t *TDXTCBs) below(floor *tdxFloor) []string {
	var list []string
	if floor.teeTCBSVN != nil {
		list = append(list, belowSVNs("tee_tcb_svn", t.TeeTCBSVN, *floor.teeTCBSVN)...)
		if t.TeeTCBSVN2 != nil {
			list = append(list, belowSVNs("tee_tcb_svn_2", *t.TeeTCBSVN2, *floor.teeTCBSVN)...)
		}
	}
	switch want := floor.pceSVN; {
	case want == nil:
	case t.PCK.Error != "":
		list = append(list, "pcesvn: "+t.PCK.Error)
	case t.PCK.PCESVN < int(*want):
		list = append(list, fmt.Sprintf("pcesvn %d < %d", t.PCK.PCESVN, *want))
	}
	if want := floor.qeSVN; want != nil && t.QESVN < int(*want) {
		list = append(list, fmt.Sprintf("qe_svn %d < %d", t.QESVN, *want))
	}
	return list
}

func belowSVNs(name string, have, want [16]uint8) []string {
	module := map[int]string{0: " (tdx module minor)", 1: " (tdx module major)"}
	var list []string
	for i := range have {
		if have[i] < want[i] {
			list = append(list, fmt.Sprintf("%s[%d]%s %d < %d", name, i, module[i], have[i], want[i]))
		}
	}
	return list
}
