package tdx

import (
	"encoding/binary"
	"fmt"
)

// QEIdentity is Intel's statement on the quoting enclave for TDX.
type QEIdentity struct {
	Document
	miscSelect, miscMask [4]byte
	attributes, attrMask [16]byte
	mrSigner             [32]byte
	isvProdID            uint16
	levels               []svnLevel
}

// ParseQEIdentity decodes the body of a PCS answer, {"enclaveIdentity": {…},
// "signature": "…"}, of id TD_QE and version 2, under the same rules as
// ParseTCBInfo. The signature is not checked here.
//
// Source: PCS API version 4, "Get TDX Enclave Identity".
func ParseQEIdentity(raw []byte) (*QEIdentity, error) {
	e := &QEIdentity{}
	f, err := e.open(raw, "enclaveIdentity")
	if err == nil {
		e.decode(f)
		err = *f.err
	}
	if err != nil {
		return nil, fmt.Errorf("qe identity: %w", err)
	}
	return e, nil
}

func (e *QEIdentity) decode(f fields) {
	f.is("id", "TD_QE")
	if v := f.number("version", 1<<16); v != 2 {
		f.fail("enclaveIdentity.version is %d, want 2", v)
	}
	f.hex("miscselect", e.miscSelect[:])
	f.hex("miscselectMask", e.miscMask[:])
	f.hex("attributes", e.attributes[:])
	f.hex("attributesMask", e.attrMask[:])
	f.hex("mrsigner", e.mrSigner[:])
	e.isvProdID = uint16(f.number("isvprodid", 1<<16-1)) //nolint:gosec // limited to 16 bits
	e.levels = f.svnLevels()
}

// match checks that a QE report is of this enclave and finds its TCB level.
//
// Source: PCS API version 4, "Get TDX Enclave Identity", algorithm.
func (e *QEIdentity) match(r *QEReport) (level, error) {
	misc := binary.LittleEndian.AppendUint32(nil, r.MiscSelect)
	switch {
	case !masked(misc, e.miscMask[:], e.miscSelect[:]):
		return level{}, fmt.Errorf("quoting enclave has miscselect %x, want %x under the mask %x", misc, e.miscSelect, e.miscMask)
	case !masked(r.Attributes[:], e.attrMask[:], e.attributes[:]):
		return level{}, fmt.Errorf("quoting enclave has the attributes %x, want %x under the mask %x", r.Attributes, e.attributes, e.attrMask)
	case r.MRSigner != e.mrSigner:
		return level{}, fmt.Errorf("quoting enclave is signed by %x, want %x", r.MRSigner, e.mrSigner)
	case r.ISVProdID != e.isvProdID:
		return level{}, fmt.Errorf("quoting enclave has isvprodid %d, want %d", r.ISVProdID, e.isvProdID)
	}
	l, ok := reached(e.levels, r.ISVSVN)
	if !ok {
		return level{}, fmt.Errorf("quoting enclave with isvsvn %d reaches no tcb level", r.ISVSVN)
	}
	return l, nil
}
