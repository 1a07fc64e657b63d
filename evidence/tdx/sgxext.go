package tdx

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// oidSGX is the extension of a PCK certificate that names the platform (Intel
// SGX PCK Certificate and CRL Profile, 1.3.5).
var oidSGX = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

// SGXExtension is what the extension 1.2.840.113741.1.13.1 says of a platform.
type SGXExtension struct {
	PPID               [16]byte  // encrypted platform provisioning id, unique to a platform
	TCBComponents      [16]uint8 // SVNs of the SGX TCB components
	PCESVN             uint16
	CPUSVN             [16]byte
	PCEID              [2]byte
	FMSPC              [6]byte
	SGXType            int    // 0 standard, 1 scalable, 2 scalable with integrity
	PlatformInstanceID []byte // 16 bytes in certificates of the platform CA, otherwise nil
}

// sgxExtension finds and decodes the one SGX extension of a certificate.
func sgxExtension(cert *x509.Certificate) (SGXExtension, error) {
	var found []byte
	for _, e := range cert.Extensions {
		if !e.Id.Equal(oidSGX) {
			continue
		}
		if found != nil {
			return SGXExtension{}, errors.New("two sgx extensions")
		}
		found = e.Value
	}
	if found == nil {
		return SGXExtension{}, errors.New("no sgx extension")
	}
	return ParseSGXExtension(found)
}

// The last arcs of the OIDs below oidSGX, and how many TCB components there are.
const (
	arcPPID, arcTCB, arcPCEID, arcFMSPC = 1, 2, 3, 4
	arcType, arcInstance, arcConfig     = 5, 6, 7
	tcbComponents                       = 16
	arcPCESVN, arcCPUSVN                = 17, 18
)

// ParseSGXExtension decodes the value of the SGX extension: a DER sequence of
// pairs of an OID and a value. A repeated, unknown or missing element, a value of
// another type, size or range, and trailing bytes are errors. Elements 6 and 7
// (platform instance and configuration) may be missing, as in certificates of the
// processor CA.
//
// Source: Intel SGX PCK Certificate and CRL Profile, 1.3.5.
func ParseSGXExtension(der []byte) (SGXExtension, error) {
	var s SGXExtension
	d := map[int]func(asn1.RawValue) error{
		arcPPID:  octets(s.PPID[:]),
		arcTCB:   s.tcb,
		arcPCEID: octets(s.PCEID[:]),
		arcFMSPC: octets(s.FMSPC[:]),
		arcType:  s.sgxType,
		arcInstance: func(v asn1.RawValue) error {
			s.PlatformInstanceID = make([]byte, 16)
			return octets(s.PlatformInstanceID)(v)
		},
		arcConfig: configuration,
	}
	if err := eachPair(der, oidSGX, d, arcPPID, arcTCB, arcPCEID, arcFMSPC, arcType); err != nil {
		return SGXExtension{}, fmt.Errorf("sgx extension: %w", err)
	}
	return s, nil
}

// tcb decodes element 2: sixteen component SVNs, PCESVN and CPUSVN.
func (s *SGXExtension) tcb(v asn1.RawValue) error {
	d := map[int]func(asn1.RawValue) error{
		arcPCESVN: func(v asn1.RawValue) error {
			n, err := integer(v, asn1.TagInteger, 1<<16-1)
			s.PCESVN = uint16(n) //nolint:gosec // at most 65535
			return err
		},
		arcCPUSVN: octets(s.CPUSVN[:]),
	}
	required := []int{arcPCESVN, arcCPUSVN}
	for i := range tcbComponents {
		d[i+1] = func(v asn1.RawValue) error {
			n, err := integer(v, asn1.TagInteger, 1<<8-1)
			s.TCBComponents[i] = uint8(n) //nolint:gosec // at most 255
			return err
		}
		required = append(required, i+1)
	}
	return eachPair(v.FullBytes, child(oidSGX, arcTCB), d, required...)
}

func (s *SGXExtension) sgxType(v asn1.RawValue) (err error) {
	s.SGXType, err = integer(v, asn1.TagEnum, 2)
	return err
}

// configuration checks element 7: up to three booleans, which say nothing that
// bears on the TCB.
func configuration(v asn1.RawValue) error {
	flag := func(v asn1.RawValue) error {
		if v.Class != asn1.ClassUniversal || v.Tag != asn1.TagBoolean || len(v.Bytes) != 1 || v.Bytes[0] != 0 && v.Bytes[0] != 0xff {
			return errors.New("not a boolean")
		}
		return nil
	}
	d := map[int]func(asn1.RawValue) error{1: flag, 2: flag, 3: flag}
	return eachPair(v.FullBytes, child(oidSGX, arcConfig), d)
}

func child(oid asn1.ObjectIdentifier, arc int) asn1.ObjectIdentifier {
	return append(slices.Clip(oid), arc)
}

// eachPair decodes a sequence of pairs whose OIDs are children of parent.
func eachPair(der []byte, parent asn1.ObjectIdentifier, decode map[int]func(asn1.RawValue) error, required ...int) error {
	rest, err := sequence(der)
	if err != nil {
		return err
	}
	seen := map[int]bool{}
	for len(rest) > 0 {
		var pair asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &pair); err != nil {
			return err
		}
		arc, value, err := onePair(pair.FullBytes, parent)
		if err != nil {
			return err
		}
		if seen[arc] {
			return fmt.Errorf("element %v.%d occurs twice", parent, arc)
		}
		seen[arc] = true
		f := decode[arc]
		if f == nil {
			return fmt.Errorf("unknown element %v.%d", parent, arc)
		}
		if err := f(value); err != nil {
			return fmt.Errorf("element %v.%d: %w", parent, arc, err)
		}
	}
	for _, arc := range required {
		if !seen[arc] {
			return fmt.Errorf("element %v.%d is missing", parent, arc)
		}
	}
	return nil
}

// onePair decodes a sequence of an OID below parent and one value.
func onePair(der []byte, parent asn1.ObjectIdentifier) (int, asn1.RawValue, error) {
	var oid asn1.ObjectIdentifier
	var value asn1.RawValue
	body, err := sequence(der)
	if err != nil {
		return 0, value, err
	}
	if body, err = asn1.Unmarshal(body, &oid); err != nil {
		return 0, value, err
	}
	n := len(parent)
	if len(oid) != n+1 || !oid[:n].Equal(parent) {
		return 0, value, fmt.Errorf("element %v is not below %v", oid, parent)
	}
	if body, err = asn1.Unmarshal(body, &value); err != nil {
		return 0, value, err
	}
	if len(body) != 0 {
		return 0, value, fmt.Errorf("%d bytes after the value of %v", len(body), oid)
	}
	return oid[n], value, nil
}

// sequence returns the contents of a DER sequence that is all of der.
func sequence(der []byte) ([]byte, error) {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(der, &v)
	if err != nil {
		return nil, err
	}
	if v.Class != asn1.ClassUniversal || v.Tag != asn1.TagSequence || !v.IsCompound {
		return nil, errors.New("not a sequence")
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the sequence", len(rest))
	}
	return v.Bytes, nil
}

// octets decodes an octet string of exactly the size of dst.
func octets(dst []byte) func(asn1.RawValue) error {
	return func(v asn1.RawValue) error {
		if v.Class != asn1.ClassUniversal || v.Tag != asn1.TagOctetString || v.IsCompound || len(v.Bytes) != len(dst) {
			return fmt.Errorf("not an octet string of %d bytes", len(dst))
		}
		copy(dst, v.Bytes)
		return nil
	}
}

// integer decodes an integer or enumerated value from 0 to limit in its shortest
// form. Limits have at most two bytes, so that three bytes of contents suffice.
func integer(v asn1.RawValue, tag, limit int) (int, error) {
	b := v.Bytes
	if v.Class != asn1.ClassUniversal || v.Tag != tag || v.IsCompound || len(b) == 0 || len(b) > 3 {
		return 0, errors.New("not a small number")
	}
	if b[0] >= 0x80 || len(b) > 1 && b[0] == 0 && b[1] < 0x80 {
		return 0, errors.New("negative or not in its shortest form")
	}
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
	}
	if n > limit {
		return 0, fmt.Errorf("%d, at most %d is possible", n, limit)
	}
	return n, nil
}
