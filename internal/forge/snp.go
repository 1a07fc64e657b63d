package forge

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"fmt"
)

// CPUID names a processor: family and model with the extended parts added.
type CPUID struct{ Family, Model, Stepping uint8 }

// DefaultGuestPolicy is the policy of SEV-SNP machines on Compute Engine:
// simultaneous multithreading is allowed, and bit 17 is always set.
const DefaultGuestPolicy uint64 = 0x30000

// Bits of the guest policy that let others into the guest (AMD 56860, guest
// policy).
const (
	PolicyMigrateMA uint64 = 1 << 18
	PolicyDebug     uint64 = 1 << 19
)

// SNP describes a report of SEV-SNP and the machine that made it. The zero
// value is an honest version 5 report of a Milan at VMPL 0, signed by its VCEK.
// Where a field says so, zero stands for something else.
type SNP struct {
	Product Product // "" is Milan
	Version uint32  // 0 is 5
	// Chip names the chip: its identifier and its key follow from that and the
	// seed.
	Chip string
	// Vendor owns the keys; see [ForeignVendor].
	Vendor string
	// Key is what signs, and which certificate comes along.
	Key SigningKey

	GuestSVN          uint32
	Policy            uint64 // 0 is DefaultGuestPolicy
	FamilyID, ImageID [16]byte
	VMPL              uint32
	PlatformInfo      uint64 // 0 is 0x25: SMT, ECC, and memory checked for aliases
	// SignerInfo replaces the word that AuthorKey, MaskChipKey and Key make.
	SignerInfo  *uint32
	AuthorKey   bool
	MaskChipKey bool
	MaskChipID  bool // CHIP_ID is zero

	ReportData      [64]byte
	Measurement     [48]byte // zero is derived from the seed
	HostData        [32]byte
	IDKeyDigest     [48]byte
	AuthorKeyDigest [48]byte
	ReportID        [32]byte // zero is derived from the seed
	ReportIDMA      [32]byte // zero is 32 bytes ff: no migration agent

	// TCB is the reported one and, unless they are given, that of all others.
	TCB                        *SNPTCB // nil is DefaultTCB
	Current, Committed, Launch *SNPTCB
	CPUID                      *CPUID // nil is one of the product
	// Firmware and CommittedFirmware are major, minor and build.
	Firmware, CommittedFirmware *[3]uint8 // nil is 1.55.40
	// The mitigation vectors exist since version 5.
	LaunchMitigations, CurrentMitigations uint64

	// CertTCB, CertChip and CertProduct are what the certificate says; nil and ""
	// are what the report says. IssuedBy is whose ASK or ASVK signs it.
	CertTCB     *SNPTCB
	CertChip    string
	CertProduct Product
	IssuedBy    Product

	Edits SNPEdits
}

// SNPEdits change one stage each, as [Edits] do.
type SNPEdits struct {
	// Certificate edits the template of the VCEK or VLEK.
	Certificate func(*x509.Certificate) error
	// Unsigned edits the report before it is signed, Signed afterwards.
	Unsigned, Signed func([]byte) error
}

// SNPReport is a minted report with its certificates.
type SNPReport struct {
	Raw []byte // ATTESTATION_REPORT, 1184 bytes
	// Leaf is the VCEK or VLEK, Issuer the ASK or ASVK, Root the ARK.
	Leaf, Issuer, Root *x509.Certificate
	Product            Product
	Key                SigningKey
}

func (s SNP) orDefault() SNP {
	s.Product = cmp.Or(s.Product, Milan)
	s.Version = cmp.Or(s.Version, 5)
	s.Policy = cmp.Or(s.Policy, DefaultGuestPolicy)
	s.PlatformInfo = cmp.Or(s.PlatformInfo, 0x25)
	tcb := DefaultTCB(s.Product)
	s.TCB = cmp.Or(s.TCB, &tcb)
	s.Current, s.Committed = cmp.Or(s.Current, s.TCB), cmp.Or(s.Committed, s.TCB)
	s.Launch, s.CertTCB = cmp.Or(s.Launch, s.TCB), cmp.Or(s.CertTCB, s.TCB)
	s.Firmware = cmp.Or(s.Firmware, &[3]uint8{1, 55, 40})
	s.CommittedFirmware = cmp.Or(s.CommittedFirmware, s.Firmware)
	s.CertChip = cmp.Or(s.CertChip, s.Chip)
	s.CertProduct = cmp.Or(s.CertProduct, s.Product)
	s.IssuedBy = cmp.Or(s.IssuedBy, s.CertProduct)
	if s.CPUID == nil {
		s.CPUID = map[Product]*CPUID{Milan: {0x19, 0x01, 1}, Genoa: {0x19, 0x11, 1}, Turin: {0x1A, 0x02, 1}}[s.Product]
	}
	if s.ReportIDMA == [32]byte{} {
		for i := range s.ReportIDMA {
			s.ReportIDMA[i] = 0xff
		}
	}
	return s
}

// Report mints the report. The same keys and description give the same bytes.
func (s SNP) Report(keys *Keys) (*SNPReport, error) {
	s = s.orDefault()
	if s.CPUID == nil {
		return nil, fmt.Errorf("unknown product %q", s.Product)
	}
	signer, err := s.signer(keys)
	if err != nil {
		return nil, err
	}
	leaf, err := s.certificate(keys)
	if err != nil {
		return nil, fmt.Errorf("certifying the key: %w", err)
	}
	raw := s.encode(keys)
	if err := apply(s.Edits.Unsigned, raw); err != nil {
		return nil, err
	}
	if err := signSNP(raw, signer); err != nil {
		return nil, err
	}
	if err := apply(s.Edits.Signed, raw); err != nil {
		return nil, err
	}
	by, err := NewAMD(s.Vendor, s.IssuedBy)
	if err != nil {
		return nil, err
	}
	issuer, _ := by.issuer(s.Key)
	return &SNPReport{Raw: raw, Leaf: leaf, Issuer: issuer, Root: by.ARK, Product: s.Product, Key: s.Key}, nil
}

// signer is the key of the chip or, for a VLEK, that of the provider.
func (s SNP) signer(keys *Keys) (crypto.Signer, error) {
	if s.Key == VLEK {
		return keys.Key("vlek "+vendorName(s.Vendor)+" "+string(s.Product), P384)
	}
	return keys.Key("vcek "+vendorName(s.Vendor)+" "+string(s.Product)+" "+s.Chip, P384)
}

// chipID is the identifier of a chip of the product.
func (s SNP) chipID(keys *Keys, chip string) (id [64]byte) {
	copy(id[:], hwid(s.Product, [64]byte(keys.bytes("chip "+string(s.Product)+" "+chip, 64))))
	return id
}
