package snp

// Policy is the guest policy: what the guest's owner lets the host do with it
// (AMD 56860, guest policy). The bits belong to the firmware's ABI and not to
// the version of the report, so that every version decodes them alike.
type Policy struct {
	ABIMajor, ABIMinor uint8 // the least firmware ABI the guest accepts
	SMT                bool  // simultaneous multithreading is allowed
	MigrateMA          bool  // a migration agent may be associated
	Debug              bool  // the host may debug, and so read, the guest
	SingleSocket       bool  // the guest runs on one socket only
	CXL                bool  // CXL devices and memory are allowed
	MemAES256XTS       bool  // memory must be encrypted with AES-256-XTS
	RAPLDisable        bool  // power measurement must be off
	CiphertextHiding   bool  // the host must not see DRAM ciphertext
	PageSwapDisable    bool  // the host must not move or swap guest pages
}

// Bit 17 is reserved and one; bits 26 and above are reserved and zero.
const (
	policyOne     = uint64(1) << 17
	policyUnknown = ^uint64(1<<26 - 1)
)

func (p *Policy) flags() []flag {
	return []flag{
		{16, &p.SMT},
		{18, &p.MigrateMA},
		{19, &p.Debug},
		{20, &p.SingleSocket},
		{21, &p.CXL},
		{22, &p.MemAES256XTS},
		{23, &p.RAPLDisable},
		{24, &p.CiphertextHiding},
		{25, &p.PageSwapDisable},
	}
}

// Bits returns the policy as the 64-bit number of the report.
func (p Policy) Bits() uint64 {
	return policyOne | uint64(p.ABIMajor)<<8 | uint64(p.ABIMinor) | join(p.flags())
}

func (p *Policy) code(c *coder) {
	bits := p.Bits()
	if c.u64(&bits); c.write {
		return
	}
	if bits&policyOne == 0 {
		c.fail("guest policy 0x%016x: bit 17 is reserved and must be one", bits)
	}
	if unknown := bits & policyUnknown; unknown != 0 {
		c.fail("guest policy 0x%016x: bits 0x%x are reserved and must be zero", bits, unknown)
	}
	p.ABIMinor, p.ABIMajor = uint8(bits), uint8(bits>>8) //nolint:gosec // the low and the next byte are meant
	split(bits, p.flags())
}

// A flag is one bit of a register and the field it is decoded to.
type flag struct {
	bit   uint
	field *bool
}

func split(bits uint64, flags []flag) {
	for _, f := range flags {
		*f.field = bits>>f.bit&1 != 0
	}
}

func join(flags []flag) (bits uint64) {
	for _, f := range flags {
		if *f.field {
			bits |= 1 << f.bit
		}
	}
	return bits
}
