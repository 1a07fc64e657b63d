package tdx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// TCBInfo is Intel's statement on the TCB levels of one kind of platform.
type TCBInfo struct {
	Document
	FMSPC   [6]byte
	PCEID   [2]byte
	module  moduleIdentity
	modules []moduleIdentity
	levels  []platformLevel
}

// platformLevel is an item of tcbLevels: the lowest SVNs that reach it.
type platformLevel struct {
	level
	sgx, tdx [tcbComponents]uint8
	pceSVN   uint16
}

// moduleIdentity is tdxModule, or an item of tdxModuleIdentities.
type moduleIdentity struct {
	id               string
	mrSigner         [48]byte
	attributes, mask [8]byte
	levels           []svnLevel
}

// svnLevel is a TCB level with one SVN, of a TDX module or quoting enclave.
type svnLevel struct {
	level
	isvSVN uint16
}

// ParseTCBInfo decodes the body of a PCS answer, {"tcbInfo": {…}, "signature":
// "…"}, of id TDX and version 3. The decoder reads the very bytes that are
// signed. Names are matched with their case; an envelope with any third member,
// two members of one object that differ in case only, unknown statuses, missing
// members and SVNs out of range are errors. Unknown members inside the signed
// value are allowed, because Intel has added some within version 3. The
// signature is not checked here.
//
// Source: PCS API version 4, "Get TDX TCB Info".
func ParseTCBInfo(raw []byte) (*TCBInfo, error) {
	t := &TCBInfo{}
	f, err := t.open(raw, "tcbInfo")
	if err == nil {
		t.decode(f)
		err = *f.err
	}
	if err != nil {
		return nil, fmt.Errorf("tcb info: %w", err)
	}
	return t, nil
}

func (t *TCBInfo) decode(f fields) {
	f.is("id", "TDX")
	if v := f.number("version", 1<<16); v != 3 {
		f.fail("tcbInfo.version is %d, want 3", v)
	}
	f.number("tcbType", 0)
	f.hex("fmspc", t.FMSPC[:])
	f.hex("pceId", t.PCEID[:])
	t.module.decode(f.child("tdxModule"))
	for _, m := range f.children("tdxModuleIdentities", false) {
		id := moduleIdentity{id: m.text("id"), levels: m.svnLevels()}
		id.decode(m)
		for _, other := range t.modules {
			if strings.EqualFold(other.id, id.id) {
				f.fail("two tdxModuleIdentities with the id %q", id.id)
			}
		}
		t.modules = append(t.modules, id)
	}
	for _, l := range f.children("tcbLevels", true) {
		tcb := l.child("tcb")
		t.levels = append(t.levels, platformLevel{
			level:  l.level(),
			sgx:    tcb.components("sgxtcbcomponents"),
			tdx:    tcb.components("tdxtcbcomponents"),
			pceSVN: uint16(tcb.number("pcesvn", 1<<16-1)), //nolint:gosec // limited to 16 bits
		})
		if !f.ok() {
			return
		}
	}
}

func (m *moduleIdentity) decode(f fields) {
	f.hex("mrsigner", m.mrSigner[:])
	f.hex("attributes", m.attributes[:])
	f.hex("attributesMask", m.mask[:])
}

// components reads the SVNs of sixteen TCB components.
func (f fields) components(name string) (svns [tcbComponents]uint8) {
	list := f.children(name, true)
	if len(list) != tcbComponents {
		f.fail("%s.%s has %d items, want %d", f.path, name, len(list), tcbComponents)
		return svns
	}
	for i, c := range list {
		svns[i] = uint8(c.number("svn", 1<<8-1)) //nolint:gosec // limited to 8 bits
	}
	return svns
}

func (f fields) svnLevels() []svnLevel {
	var list []svnLevel
	for _, l := range f.children("tcbLevels", true) {
		svn := l.child("tcb").number("isvsvn", 1<<16-1)
		list = append(list, svnLevel{l.level(), uint16(svn)}) //nolint:gosec // limited to 16 bits
	}
	return list
}

// reached returns the first level whose SVN is not above the given one. Intel
// lists levels from the newest to the oldest.
func reached(levels []svnLevel, svn uint16) (level, bool) {
	for _, l := range levels {
		if svn >= l.isvSVN {
			return l.level, true
		}
	}
	return level{}, false
}

// platform finds the TCB level of a platform: the first whose SGX components, PCE
// and TDX components it reaches. For a TDX module of version 1 or more (teeTCBSVN
// byte 1) the first two TDX components, the module itself, are not compared:
// module judges them.
//
// Source: PCS API version 4, "Get TDX TCB Info", algorithm for TCB status.
func (t *TCBInfo) platform(pck PCK, tee [16]byte) (level, error) {
	first := 0
	if tee[1] > 0 {
		first = 2
	}
	for _, l := range t.levels {
		if pck.PCESVN >= l.pceSVN && covers(pck.TCBComponents[:], l.sgx[:]) && covers(tee[first:], l.tdx[first:]) {
			return l.level, nil
		}
	}
	return level{}, errors.New("the platform reaches no tcb level")
}

// covers reports whether every SVN is at least the one wanted.
func covers(have, want []uint8) bool {
	for i := range want {
		if have[i] < want[i] {
			return false
		}
	}
	return true
}

// moduleLevel checks signer and attributes of the TDX module that a quote
// reports, and finds its TCB level. A module of version 0 has none of its own and
// gives ok false.
//
// Source: PCS API version 4, "Get TDX TCB Info", tdxModuleIdentities.
func (t *TCBInfo) moduleLevel(b *Body, tee [16]byte) (l level, ok bool, err error) {
	version := tee[1]
	if version == 0 {
		return level{}, false, t.module.matches(b)
	}
	id := fmt.Sprintf("TDX_%02X", version)
	for _, m := range t.modules {
		if !strings.EqualFold(m.id, id) {
			continue
		}
		if err := m.matches(b); err != nil {
			return level{}, false, err
		}
		l, ok := reached(m.levels, uint16(tee[0]))
		if !ok {
			return level{}, false, fmt.Errorf("tdx module %s with svn %d reaches no tcb level", id, tee[0])
		}
		return l, true, nil
	}
	return level{}, false, fmt.Errorf("no identity for tdx module %s", id)
}

// matches compares signer and attributes of a TDX module with its identity.
func (m *moduleIdentity) matches(b *Body) error {
	if b.MRSignerSeam != m.mrSigner {
		return fmt.Errorf("tdx module is signed by %x, want %x", b.MRSignerSeam, m.mrSigner)
	}
	have := binary.LittleEndian.AppendUint64(nil, b.SeamAttributes)
	if !masked(have, m.mask[:], m.attributes[:]) {
		return fmt.Errorf("tdx module has the attributes %x, want %x under the mask %x", have, m.attributes, m.mask)
	}
	return nil
}

// masked reports whether have & mask equals want & mask.
func masked(have, mask, want []byte) bool {
	a, b := bytes.Clone(have), bytes.Clone(want)
	for i, m := range mask {
		a[i] &= m
		b[i] &= m
	}
	return bytes.Equal(a, b)
}
