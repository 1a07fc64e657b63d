package tdx

import "fmt"

// Attributes are the attributes of a trust domain (Intel TDX Module 1.5 ABI,
// ATTRIBUTES). Bits 0 to 7 put the TD under debug: any of them means that the
// host can see into it.
type Attributes uint64

// The bits that the specification names.
const (
	AttrDebug         Attributes = 1 << 0
	AttrHGSPlusProf   Attributes = 1 << 4
	AttrPerfProf      Attributes = 1 << 5
	AttrPMTProf       Attributes = 1 << 6
	AttrICSSD         Attributes = 1 << 16
	AttrLASS          Attributes = 1 << 27
	AttrSeptVEDisable Attributes = 1 << 28
	AttrMigratable    Attributes = 1 << 29
	AttrPKS           Attributes = 1 << 30
	AttrKL            Attributes = 1 << 31
	AttrTPA           Attributes = 1 << 62
	AttrPerfMon       Attributes = 1 << 63
)

var attributeNames = []struct {
	bit  Attributes
	name string
}{
	{AttrDebug, "debug"},
	{AttrHGSPlusProf, "hgs_plus_prof"},
	{AttrPerfProf, "perf_prof"},
	{AttrPMTProf, "pmt_prof"},
	{AttrICSSD, "icssd"},
	{AttrLASS, "lass"},
	{AttrSeptVEDisable, "sept_ve_disable"},
	{AttrMigratable, "migratable"},
	{AttrPKS, "pks"},
	{AttrKL, "kl"},
	{AttrTPA, "tpa"},
	{AttrPerfMon, "perfmon"},
}

// Debug reports the DEBUG bit: the host can read and change the TD.
func (a Attributes) Debug() bool { return a&AttrDebug != 0 }

// UnderDebug reports whether any bit of the TUD group (bits 0 to 7), named or
// reserved, is set. Such a TD is not to be trusted.
func (a Attributes) UnderDebug() bool { return a&0xff != 0 }

// SeptVEDisable reports that an EPT violation of a private page ends in an exit
// and not in a #VE in the guest.
func (a Attributes) SeptVEDisable() bool { return a&AttrSeptVEDisable != 0 }

// Migratable reports that the TD can be moved to another platform by a
// migration TD.
func (a Attributes) Migratable() bool { return a&AttrMigratable != 0 }

// PKS reports that supervisor protection keys may be used.
func (a Attributes) PKS() bool { return a&AttrPKS != 0 }

// KL reports that key locker may be used.
func (a Attributes) KL() bool { return a&AttrKL != 0 }

// PerfMon reports that the performance monitor may be used.
func (a Attributes) PerfMon() bool { return a&AttrPerfMon != 0 }

// UnknownBits returns the bits that this package has no name for.
func (a Attributes) UnknownBits() uint64 {
	for _, n := range attributeNames {
		a &^= n.bit
	}
	return uint64(a)
}

// Names lists the attributes that are set; unknown bits appear as one hex
// number at the end.
func (a Attributes) Names() []string {
	var names []string
	for _, n := range attributeNames {
		if a&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	if u := a.UnknownBits(); u != 0 {
		names = append(names, fmt.Sprintf("0x%016x", u))
	}
	return names
}
