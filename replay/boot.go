package replay

import (
	"encoding/hex"
	"fmt"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// Boot is what the events of a log prove about a boot, once the log has been
// replayed to quoted PCR values and Boot came without findings. Digests are
// lower-case hex, of Bank. Nothing in it depends on the type of an event or on
// text that is not measured, except fields named Untrusted. A part that was not
// measured is empty or nil: missing is never false.
type Boot struct {
	Bank   tpm.Alg
	Events int

	Firmware   Firmware
	Technology string // "AMD_SEV_SNP" and so on, as Google attestation tokens spell it; "" unless measured
	SecureBoot SecureBoot

	Attempts         int // boot options tried, the last one included
	EFIApps          []string
	Drivers          []string // PCR 2 before its separator: option ROMs and drivers, whatever their kind
	DeviceImages     []string // PCR 2 after its separator: Google's TDX firmware measures the shim there
	ExitBootServices ExitBootServices

	GRUB   *GRUB
	Kernel *Kernel
	Tagged []Tagged

	ErrorSeparator        bool  // firmware failed before it handed over (PFP 1.06, 10.4.1, EV_SEPARATOR)
	UEFIDebug             *bool // "UEFI Debug Mode" is in PCR 7 before its separator
	DMAProtectionDisabled *bool // "DMA Protection Disabled" is there

	UnknownEvents []UnknownEvent

	// Forgeable names, in the spelling of the claims document, the parts of this
	// Boot that the owner of the operating system can produce after the boot by
	// extending PCRs and editing the log. Pin the raw PCR values to rely on them.
	Forgeable []string
}

// Firmware is the version the firmware measured of itself.
type Firmware struct {
	SCRTMVersion string // "GCE Virtual Firmware v2"; "" for other vendors, whose events only an unmeasured type tells apart
	GCEVersion   *uint32
}

// ExitBootServices says which of the strings of PFP 1.06, 10.4.4, are in PCR 5. The
// EFI applications are only listed if it was invoked.
type ExitBootServices struct {
	Invoked   bool
	Succeeded bool
	Failed    bool // some attempt; a later one may have succeeded
}

// Kernel is the Linux kernel as GRUB started it.
type Kernel struct {
	CommandLine string // as measured, starting with the path of the kernel
}

// UnknownEvent is an event of a type that neither the TCG nor Google defines.
type UnknownEvent struct {
	Event  int
	PCR    int
	Type   string
	Digest string
}

// maxFindings bounds the report on a hostile log. The first finding decides.
const maxFindings = 100

// bootReader collects what the events of one log say. Each step reads the events
// of its PCRs in order; the order within a PCR is measured, the order across
// PCRs is not.
type bootReader struct {
	algs     []tpm.Alg
	events   []measured
	boot     *Boot
	findings []Finding
}

// Boot reads the meaning of the log. algs are the banks that were verified
// against a quote, the reporting bank first: an event counts as measured only if
// its digests in all of them are the hash of its data. If there are findings, do
// not use the Boot. It never returns nil. The PCRs are those of a TPM: a CCEL,
// which has other registers, gives findings.
func (l *Log) Boot(algs []tpm.Alg) (*Boot, []Finding) {
	r := &bootReader{algs: algs, boot: &Boot{Events: len(l.Events)}}
	if len(algs) == 0 {
		r.missing(-1, "no bank was verified")
		return r.boot, r.findings
	}
	r.boot.Bank = algs[0]
	for _, alg := range algs {
		if alg.Size() == 0 || !l.has(alg) {
			r.missing(-1, fmt.Sprintf("the log has no %v digests", alg))
			return r.boot, r.findings
		}
	}
	r.measure(l)
	r.readSeparators(l)
	r.readPlatform()
	r.readSecureBoot()
	r.readExitBootServices()
	r.readApps()
	r.readDrivers()
	r.readGRUB()
	r.readMOK()
	r.readUnknown()
	r.markForgeable()
	return r.boot, r.findings
}

// found records a finding about one event.
func (r *bootReader) found(m *measured, text string) {
	if len(r.findings) < maxFindings {
		r.findings = append(r.findings, Finding{Event: m.Index, PCR: m.PCR, Text: text})
	}
}

// missing records a finding about something that is not in the log.
func (r *bootReader) missing(pcr int, text string) {
	if len(r.findings) < maxFindings {
		r.findings = append(r.findings, Finding{Event: -1, PCR: pcr, Text: text})
	}
}

// digest returns the event's digest in the reporting bank, in hex.
func (r *bootReader) digest(m *measured) string {
	return hex.EncodeToString(m.Digest(r.algs[0]))
}

// want records a finding if the type of an event contradicts its content. The
// content was already used: the type cannot change what is claimed, only make
// the claim worthless.
func (r *bootReader) want(m *measured, kind EventType) {
	if m.kind != kind {
		r.found(m, fmt.Sprintf("type is %v, its content is that of %v", m.kind, kind))
	}
}

// readUnknown lists events of undefined types. In the PCRs whose every event
// decides a claim there is no room for one.
func (r *bootReader) readUnknown() {
	for i := range r.events {
		m := &r.events[i]
		if m.kind.Known() {
			continue
		}
		r.boot.UnknownEvents = append(r.boot.UnknownEvents, UnknownEvent{
			Event: m.Index, PCR: m.PCR, Type: m.kind.String(), Digest: r.digest(m),
		})
		switch m.PCR {
		case 4, 7, 8, 14:
			r.found(m, fmt.Sprintf("type %v is not defined", m.kind))
		}
	}
}

func (r *bootReader) markForgeable() {
	b := r.boot
	for _, part := range []struct {
		present bool
		name    string
	}{
		{len(b.EFIApps) > 0, "boot.efi_apps"},
		{b.Attempts > 0, "boot.attempts"},
		{len(b.Drivers) > 0, "boot.efi_drivers"},
		{len(b.DeviceImages) > 0, "boot.device_images"},
		{b.ExitBootServices != ExitBootServices{}, "boot.exit_boot_services"},
		{b.GRUB != nil, "boot.grub"},
		{b.Kernel != nil, "boot.kernel"},
		{len(b.Tagged) > 0, "boot.tagged"},
		{len(b.SecureBoot.Authority) > 0, "boot.secure_boot.authority"},
		{b.SecureBoot.MOK.present(), "boot.secure_boot.mok"},
		{b.SecureBoot.SBATLevel != "", "boot.secure_boot.sbat_level"},
	} {
		if part.present {
			b.Forgeable = append(b.Forgeable, part.name)
		}
	}
}
