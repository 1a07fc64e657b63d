package snp

import "fmt"

// ReportSize is the length of a report in bytes (AMD 56860, ATTESTATION_REPORT).
const ReportSize = 0x4A0

// The versions of the report that ParseReport decodes.
const (
	MinVersion = 2
	MaxVersion = 5
)

const (
	versionCPUID       = 3 // adds CPUID_FAM_ID, CPUID_MOD_ID and CPUID_STEP
	versionMitigations = 5 // adds LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR
)

// HostVMPL is the VMPL of a report that the hypervisor asked for, not the
// guest (AMD 56860, SNP_HV_REPORT_REQ).
const HostVMPL uint32 = 0xffffffff

// Report is an ATTESTATION_REPORT (AMD 56860). Digests, identifiers and
// REPORT_DATA are in the order of the report; numbers are decoded.
type Report struct {
	Version            uint32
	GuestSVN           uint32
	Policy             Policy
	FamilyID           [16]byte
	ImageID            [16]byte
	VMPL               uint32 // 0 to 3, or HostVMPL; not checked here
	SignatureAlgorithm uint32
	CurrentTCB         RawTCB
	PlatformInfo       PlatformInfo
	KeyInfo            KeyInfo
	ReportData         [64]byte
	Measurement        [48]byte
	HostData           [32]byte
	IDKeyDigest        [48]byte
	AuthorKeyDigest    [48]byte
	ReportID           [32]byte
	ReportIDMA         [32]byte
	ReportedTCB        RawTCB
	CPUID              CPUID // zero before version 3: see HasCPUID
	ChipID             [64]byte
	CommittedTCB       RawTCB
	Current            FirmwareVersion
	Committed          FirmwareVersion
	LaunchTCB          RawTCB
	// The mitigation vectors are zero before version 5: see HasMitigations.
	LaunchMitigations  uint64
	CurrentMitigations uint64
	SignatureR         [72]byte // little-endian
	SignatureS         [72]byte // little-endian

	raw []byte // what was parsed; the signature covers its beginning
}

// CPUID is the processor that made a report: family and model with the
// extended parts added, as CPUID Fn0000_0001 defines them.
type CPUID struct{ Family, Model, Stepping uint8 }

// FirmwareVersion is the version of the SEV-SNP firmware.
type FirmwareVersion struct{ Major, Minor, Build uint8 }

// String gives the version as major.minor.build, in decimal.
func (v FirmwareVersion) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build)
}

// ParseReport decodes a report of version 2 to 5 and of exactly ReportSize
// bytes. A reserved bit or byte that is not zero, for the version at hand, is
// an error, as is an unknown bit of the guest policy. Unknown bits of
// PLATFORM_INFO are kept, because genuine firmware sets some. No signature is
// checked. The result shares no memory with raw.
func ParseReport(raw []byte) (*Report, error) {
	if len(raw) != ReportSize {
		return nil, fmt.Errorf("snp report has %d bytes, want %d", len(raw), ReportSize)
	}
	r := &Report{raw: append([]byte(nil), raw...)}
	c := &coder{buf: r.raw}
	r.code(c)
	if c.err != nil {
		return nil, fmt.Errorf("snp report: %w", c.err)
	}
	return r, nil
}

// Append appends the encoding of the report's fields to b. For a report out of
// ParseReport that is the input again. A field that the version does not have,
// and a version outside of 2 to 5, give an error.
func (r *Report) Append(b []byte) ([]byte, error) {
	buf := make([]byte, ReportSize)
	c := &coder{buf: buf, write: true}
	out := *r
	out.code(c)
	if c.err != nil {
		return nil, fmt.Errorf("snp report: %w", c.err)
	}
	return append(b, buf...), nil
}

// HasCPUID reports whether the report names the processor: version 3 and later.
func (r *Report) HasCPUID() bool { return r.Version >= versionCPUID }

// HasMitigations reports whether the report has mitigation vectors: version 5
// and later. Without them the fields say nothing; zero is not "none applied".
func (r *Report) HasMitigations() bool { return r.Version >= versionMitigations }

// code is the layout (AMD 56860, ATTESTATION_REPORT).
func (r *Report) code(c *coder) {
	if c.u32(&r.Version); r.Version < MinVersion || r.Version > MaxVersion {
		c.fail("version %d, want %d to %d", r.Version, MinVersion, MaxVersion)
		return
	}
	c.u32(&r.GuestSVN)
	r.Policy.code(c)
	c.bytes(r.FamilyID[:])
	c.bytes(r.ImageID[:])
	c.u32(&r.VMPL)
	c.u32(&r.SignatureAlgorithm)
	c.tcb(&r.CurrentTCB)
	r.PlatformInfo.code(c)
	r.KeyInfo.code(c)
	c.reserved(0x050)
	c.bytes(r.ReportData[:])
	c.bytes(r.Measurement[:])
	c.bytes(r.HostData[:])
	c.bytes(r.IDKeyDigest[:])
	c.bytes(r.AuthorKeyDigest[:])
	c.bytes(r.ReportID[:])
	c.bytes(r.ReportIDMA[:])
	c.tcb(&r.ReportedTCB)
	r.codeCPUID(c)
	c.reserved(0x1A0)
	c.bytes(r.ChipID[:])
	c.tcb(&r.CommittedTCB)
	r.Current.code(c)
	c.reserved(0x1EC)
	r.Committed.code(c)
	c.reserved(0x1F0)
	c.tcb(&r.LaunchTCB)
	r.codeMitigations(c)
	c.reserved(signedSize)
	c.bytes(r.SignatureR[:])
	c.bytes(r.SignatureS[:])
	c.reserved(ReportSize)
}

func (r *Report) codeCPUID(c *coder) {
	if r.HasCPUID() {
		c.u8(&r.CPUID.Family)
		c.u8(&r.CPUID.Model)
		c.u8(&r.CPUID.Stepping)
	} else if c.write && r.CPUID != (CPUID{}) {
		c.fail("version %d has no cpuid fields", r.Version)
	}
}

func (r *Report) codeMitigations(c *coder) {
	if r.HasMitigations() {
		c.u64(&r.LaunchMitigations)
		c.u64(&r.CurrentMitigations)
	} else if c.write && (r.LaunchMitigations != 0 || r.CurrentMitigations != 0) {
		c.fail("version %d has no mitigation vectors", r.Version)
	}
}

func (v *FirmwareVersion) code(c *coder) {
	c.u8(&v.Build)
	c.u8(&v.Minor)
	c.u8(&v.Major)
}
