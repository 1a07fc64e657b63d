package forge

import (
	"crypto"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"

	"github.com/google/go-sev-guest/proto/sevsnp"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Sizes of ATTESTATION_REPORT (AMD 56860): the whole, and what is signed.
const (
	snpReportSize = 0x4A0
	snpSignedSize = 0x2A0
)

// le is how a report writes its numbers.
var le = binary.LittleEndian

// signerInfo is the word at 0x48: which key signs and how.
func (s SNP) signerInfo() uint32 {
	if s.SignerInfo != nil {
		return *s.SignerInfo
	}
	info := uint32(s.Key) << 2
	if s.AuthorKey {
		info |= 1
	}
	if s.MaskChipKey {
		info |= 2
	}
	return info
}

// encode lays out the report (AMD 56860, ATTESTATION_REPORT) without a
// signature. What a version does not have stays zero.
func (s SNP) encode(keys *Keys) []byte {
	b := make([]byte, snpReportSize)
	le.PutUint32(b[0x00:], s.Version)
	le.PutUint32(b[0x04:], s.GuestSVN)
	le.PutUint64(b[0x08:], s.Policy)
	copy(b[0x10:], s.FamilyID[:])
	copy(b[0x20:], s.ImageID[:])
	le.PutUint32(b[0x30:], s.VMPL)
	le.PutUint32(b[0x34:], 1) // ECDSA P-384 with SHA-384
	le.PutUint64(b[0x38:], s.Current.Raw(s.Product))
	le.PutUint64(b[0x40:], s.PlatformInfo)
	le.PutUint32(b[0x48:], s.signerInfo())
	copy(b[0x50:], s.ReportData[:])
	copy(b[0x90:], orDerived(keys, "snp measurement", s.Measurement[:]))
	copy(b[0xC0:], s.HostData[:])
	copy(b[0xE0:], s.IDKeyDigest[:])
	copy(b[0x110:], s.AuthorKeyDigest[:])
	copy(b[0x140:], orDerived(keys, "snp report id "+s.Chip, s.ReportID[:]))
	copy(b[0x160:], s.ReportIDMA[:])
	le.PutUint64(b[0x180:], s.TCB.Raw(s.Product))
	if s.Version >= 3 {
		b[0x188], b[0x189], b[0x18A] = s.CPUID.Family, s.CPUID.Model, s.CPUID.Stepping
	}
	if !s.MaskChipID {
		chip := s.chipID(keys, s.Chip)
		copy(b[0x1A0:], chip[:])
	}
	le.PutUint64(b[0x1E0:], s.Committed.Raw(s.Product))
	putFirmware(b[0x1E8:], s.Firmware)
	putFirmware(b[0x1EC:], s.CommittedFirmware)
	le.PutUint64(b[0x1F0:], s.Launch.Raw(s.Product))
	if s.Version >= 5 {
		le.PutUint64(b[0x1F8:], s.LaunchMitigations)
		le.PutUint64(b[0x200:], s.CurrentMitigations)
	}
	return b
}

// putFirmware writes build, minor and major.
func putFirmware(b []byte, v *[3]uint8) { b[0], b[1], b[2] = v[2], v[1], v[0] }

// orDerived is the value, or where that is zero as many bytes of the seed's.
func orDerived(keys *Keys, purpose string, value []byte) []byte {
	if slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) {
		return value
	}
	return keys.bytes(purpose, len(value))
}

// signSNP writes both numbers of the signature, little-endian, into fields of
// 72 bytes (AMD 56860, ECDSA P-384 signature).
func signSNP(raw []byte, key crypto.Signer) error {
	sum := sha512.Sum384(raw[:snpSignedSize])
	r, s, err := ecdsaNumbers(key, sum[:], crypto.SHA384)
	if err != nil {
		return fmt.Errorf("signing the report: %w", err)
	}
	for i, n := range []*big.Int{r, s} {
		field := raw[snpSignedSize+72*i:][:72]
		n.FillBytes(field)
		slices.Reverse(field)
	}
	return nil
}

func ecdsaNumbers(key crypto.Signer, sum []byte, hash crypto.Hash) (r, s *big.Int, err error) {
	der, err := key.Sign(nil, sum, hash)
	if err != nil {
		return nil, nil, err
	}
	var point struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &point); err != nil {
		return nil, nil, err
	}
	return point.R, point.S, nil
}

// Proto is the report with its certificates as gotpm embeds it. Reserved bytes
// have no field there and are lost.
func (r *SNPReport) Proto() *sevsnp.Attestation {
	chain := &sevsnp.CertificateChain{AskCert: r.Issuer.Raw, ArkCert: r.Root.Raw}
	if r.Key == VLEK {
		chain.VlekCert = r.Leaf.Raw
	} else {
		chain.VcekCert = r.Leaf.Raw
	}
	out := &sevsnp.Attestation{Report: snpProto(r.Raw), CertificateChain: chain}
	if out.Report.GetVersion() < 3 { // the report does not say
		out.Product = &sevsnp.SevProduct{
			Name: map[Product]sevsnp.SevProduct_SevProductName{
				Milan: sevsnp.SevProduct_SEV_PRODUCT_MILAN, Genoa: sevsnp.SevProduct_SEV_PRODUCT_GENOA, Turin: sevsnp.SevProduct_SEV_PRODUCT_TURIN,
			}[r.Product],
			MachineStepping: wrapperspb.UInt32(1),
		}
	}
	return out
}

func snpProto(b []byte) *sevsnp.Report {
	field := func(at, size int) []byte { return slices.Clone(b[at : at+size]) }
	r := &sevsnp.Report{
		Version: le.Uint32(b), GuestSvn: le.Uint32(b[0x04:]), Policy: le.Uint64(b[0x08:]),
		FamilyId: field(0x10, 16), ImageId: field(0x20, 16), Vmpl: le.Uint32(b[0x30:]), SignatureAlgo: le.Uint32(b[0x34:]),
		CurrentTcb: le.Uint64(b[0x38:]), PlatformInfo: le.Uint64(b[0x40:]), SignerInfo: le.Uint32(b[0x48:]),
		ReportData: field(0x50, 64), Measurement: field(0x90, 48), HostData: field(0xC0, 32),
		IdKeyDigest: field(0xE0, 48), AuthorKeyDigest: field(0x110, 48),
		ReportId: field(0x140, 32), ReportIdMa: field(0x160, 32), ReportedTcb: le.Uint64(b[0x180:]),
		ChipId: field(0x1A0, 64), CommittedTcb: le.Uint64(b[0x1E0:]),
		CurrentBuild: uint32(b[0x1E8]), CurrentMinor: uint32(b[0x1E9]), CurrentMajor: uint32(b[0x1EA]),
		CommittedBuild: uint32(b[0x1EC]), CommittedMinor: uint32(b[0x1ED]), CommittedMajor: uint32(b[0x1EE]),
		LaunchTcb: le.Uint64(b[0x1F0:]), Signature: field(snpSignedSize, snpReportSize-snpSignedSize),
	}
	if r.Version >= 3 {
		r.Cpuid1EaxFms = cpuid1EAX(b[0x188], b[0x189], b[0x18A])
	}
	if r.Version >= 5 {
		r.LaunchMitVector, r.CurrentMitVector = le.Uint64(b[0x1F8:]), le.Uint64(b[0x200:])
	}
	return r
}

// cpuid1EAX is how CPUID Fn0000_0001_EAX splits family and model.
func cpuid1EAX(family, model, stepping uint8) uint32 {
	base := min(family, 0xf)
	return uint32(family-base)<<20 | uint32(model>>4)<<16 | uint32(base)<<8 | uint32(model&0xf)<<4 | uint32(stepping&0xf)
}
