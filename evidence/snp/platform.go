package snp

import "fmt"

// PlatformInfo is what the platform says of itself (AMD 56860, PLATFORM_INFO).
type PlatformInfo struct {
	SMT              bool // simultaneous multithreading is on
	TSME             bool // transparent memory encryption is on
	ECC              bool // the memory has error correction
	RAPLDisabled     bool // power measurement is off
	CiphertextHiding bool // the host does not see DRAM ciphertext
	AliasCheck       bool // memory was checked for aliases since the last boot
	TIO              bool // SEV-TIO, trusted I/O, is on
	// UnknownBits are the bits without a name here, in place. Genuine reports
	// have some: bit 6 is set on Turin.
	UnknownBits uint64
}

const platformKnown = uint64(0xbf)

func (p *PlatformInfo) flags() []flag {
	return []flag{
		{0, &p.SMT},
		{1, &p.TSME},
		{2, &p.ECC},
		{3, &p.RAPLDisabled},
		{4, &p.CiphertextHiding},
		{5, &p.AliasCheck},
		{7, &p.TIO},
	}
}

// Bits returns the information as the 64-bit number of the report.
func (p PlatformInfo) Bits() uint64 {
	return p.UnknownBits&^platformKnown | join(p.flags())
}

func (p *PlatformInfo) code(c *coder) {
	bits := p.Bits()
	if c.u64(&bits); !c.write {
		split(bits, p.flags())
		p.UnknownBits = bits &^ platformKnown
	}
}

// SigningKey is the kind of key that signs a report (AMD 56860, SIGNING_KEY).
type SigningKey uint8

// The signing keys. 2 to 6 are reserved, and ParseReport refuses them.
const (
	VCEK  SigningKey = 0 // of one chip at one TCB
	VLEK  SigningKey = 1 // of one cloud provider at one TCB, the same on many chips
	NoKey SigningKey = 7 // the report is not signed
)

// String returns "VCEK", "VLEK", "none", or "reserved" with the number.
func (k SigningKey) String() string {
	switch k {
	case VCEK:
		return "VCEK"
	case VLEK:
		return "VLEK"
	case NoKey:
		return "none"
	default:
		return fmt.Sprintf("reserved (%d)", uint8(k))
	}
}

// KeyInfo is the word at offset 0x48 of a report: which key signs it and how.
type KeyInfo struct {
	AuthorKeyEnabled bool // AuthorKeyDigest is the digest of a key
	MaskChipKey      bool // the VCEK of the chip is not to be used
	SigningKey       SigningKey
}

func (k *KeyInfo) flags() []flag {
	return []flag{{0, &k.AuthorKeyEnabled}, {1, &k.MaskChipKey}}
}

func (k *KeyInfo) code(c *coder) {
	bits := uint32(join(k.flags())) | uint32(k.SigningKey)<<2 //nolint:gosec // two flags
	c.u32(&bits)
	if bits>>5 != 0 {
		c.fail("key information 0x%08x: bits 5 to 31 are reserved and must be zero", bits)
		return
	}
	split(uint64(bits), k.flags())
	k.SigningKey = SigningKey(bits >> 2)
	if k.SigningKey != VCEK && k.SigningKey != VLEK && k.SigningKey != NoKey {
		c.fail("signing key is %v", k.SigningKey)
	}
}
