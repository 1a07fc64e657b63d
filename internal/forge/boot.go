package forge

import "slices"

// Technology is what GCE firmware measures about the host: the byte after
// "GCE NonHostInfo\x00" in PCR 0.
type Technology byte

// The technologies of GCE machines.
const (
	NoTechnology Technology = iota
	AMDSEV
	AMDSEVES
	IntelTDX
	AMDSEVSNP
)

// SecureBoot is the state that the UEFI variables report.
type SecureBoot int

// Secure Boot states. SecureBootAbsent leaves out all five variables, as
// firmware without the feature does; that is not the same as off.
const (
	SecureBootOn SecureBoot = iota
	SecureBootOff
	SecureBootAbsent
)

// Loader is what the firmware starts.
type Loader int

// ShimGRUB boots as Linux distributions do. KernelStub starts the kernel
// from the firmware: nothing is measured into PCR 8, 9 and 14.
const (
	ShimGRUB Loader = iota
	KernelStub
)

// DefaultCommandLine is what GRUB measures as the kernel's command line when
// [Boot] does not name one.
const DefaultCommandLine = "/boot/vmlinuz-6.8.0-1010-gcp root=PARTUUID=8a1bb9c8-3d57-4f54-a8ee-3b9d0c7d8a11 ro console=ttyS0,115200"

// DefaultSBAT is the date of the SBAT revocations when [Boot] names none.
const DefaultSBAT = "2023012900"

// Boot describes what a machine measures while it starts. The zero value is
// Secure Boot with shim and GRUB.
type Boot struct {
	SecureBoot SecureBoot
	// NoDBX leaves the dbx variable empty.
	NoDBX bool
	// OwnerDB adds a certificate of the machine's owner to db.
	OwnerDB bool
	// OwnerPK makes a certificate of the machine's owner the platform key.
	OwnerPK bool
	Loader  Loader
	// CommandLine is the kernel's; empty stands for DefaultCommandLine.
	CommandLine string
	// SBAT is the date of shim's revocations; empty stands for DefaultSBAT.
	SBAT string
	// ValidationDisabled makes shim measure MokSBState = 1: it then starts
	// anything, whatever Secure Boot says.
	ValidationDisabled bool
}

// events lists the measurements of one boot in the order of GCE's firmware.
func (b Boot) events(keys *Keys, technology Technology) ([]Event, error) {
	variables, err := b.secureBootVariables(keys)
	if err != nil {
		return nil, err
	}
	authority, err := b.authorities(keys)
	if err != nil {
		return nil, err
	}
	disk, partition := keys.bytes("disk", 16), keys.bytes("partition", 16)
	return slices.Concat(
		firmwareEvents(technology),
		variables,
		[]Event{separator(7)},
		bootOptionEvents(keys),
		[]Event{{PCR: 4, Type: EvAction, Data: []byte("Calling EFI Application from Boot Option")}},
		separators(0, 1, 2, 3, 4, 5, 6),
		[]Event{{PCR: 5, Type: EvGPT, Data: gptEvent(disk, partition)}},
		authority,
		b.loaderEvents(),
		[]Event{
			{PCR: 5, Type: EvAction, Data: []byte("Exit Boot Services Invocation")},
			{PCR: 5, Type: EvAction, Data: []byte("Exit Boot Services Returned with Success")},
		},
	), nil
}

func firmwareEvents(technology Technology) []Event {
	host := append([]byte("GCE NonHostInfo\x00"), byte(technology))
	return []Event{
		{PCR: 0, Type: EvSCRTMVersion, Data: append(ucs2("GCE Virtual Firmware v2"), 0, 0)},
		{PCR: 0, Type: EvNonhostInfo, Data: append(host, make([]byte, 15)...)},
	}
}

func separator(pcr uint32) Event {
	return Event{PCR: pcr, Type: EvSeparator, Data: make([]byte, 4)}
}

func separators(pcrs ...uint32) []Event {
	var out []Event
	for _, pcr := range pcrs {
		out = append(out, separator(pcr))
	}
	return out
}

// bootOptionEvents are PCR 1: tables by content, boot variables by value.
func bootOptionEvents(keys *Keys) []Event {
	var out []Event
	for _, table := range []string{"FACP", "APIC", "SSDT"} {
		out = append(out, Event{PCR: 1, Type: EvPlatformConfig, Data: []byte("ACPI DATA"), Measured: keys.bytes("acpi "+table, 244)})
	}
	boot := func(name string, value []byte) Event {
		return Event{PCR: 1, Type: EvVariableBoot, Data: Variable(GlobalVariable(), name, value), Measured: value}
	}
	return append(out,
		boot("BootOrder", []byte{1, 0, 0, 0}),
		boot("Boot0001", loadOption("UEFI nvme_card-pd ", `\EFI\BOOT\BOOTX64.EFI`)),
		boot("Boot0000", loadOption("UiApp", `\UiApp`)))
}

// image is an EFI application in PCR 4. Its digest is that of a PE image,
// which the log does not hold.
func image(file, content string) Event {
	return Event{PCR: 4, Type: EvBootApplication, Data: ImageLoad(file), Measured: []byte(content)}
}

func (b Boot) loaderEvents() []Event {
	if b.Loader == KernelStub {
		return []Event{image(`\EFI\BOOT\BOOTX64.EFI`, "forged kernel with an EFI stub")}
	}
	return slices.Concat(
		[]Event{image(`\EFI\BOOT\BOOTX64.EFI`, "forged shim")},
		b.shimEvents(),
		[]Event{image(`\EFI\BOOT\grubx64.efi`, "forged grub")},
		b.grubEvents(),
	)
}

// shimEvents are the state that shim mirrors: the Machine Owner Key lists by
// value into PCR 14, revocations and trust also into PCR 7.
func (b Boot) shimEvents() []Event {
	mok := func(name string, value ...byte) Event {
		return Event{PCR: 14, Type: EvIPL, Data: []byte(name + "\x00"), Measured: value}
	}
	sbat := b.SBAT
	if sbat == "" {
		sbat = DefaultSBAT
	}
	out := []Event{mok("MokList", 0x26, 0x16), mok("MokListX", 0x26, 0x16)}
	if b.ValidationDisabled {
		out = append(out, mok("MokSBState", 1))
	}
	return append(out,
		Event{PCR: 7, Type: EvVariableAuthority, Data: Variable(ShimLock(), "SbatLevel", []byte("sbat,1,"+sbat+"\n"))},
		Event{PCR: 7, Type: EvVariableAuthority, Data: Variable(ShimLock(), "MokListTrusted", []byte{1})},
		mok("MokListTrusted", 1))
}

// grubEvents are commands in PCR 8 and files in PCR 9. GRUB measures a string
// without its prefix and without the terminator that the log shows.
func (b Boot) grubEvents() []Event {
	line := b.CommandLine
	if line == "" {
		line = DefaultCommandLine
	}
	return []Event{
		grubFile("(hd0,gpt15)/EFI/debian/grub.cfg", "forged grub.cfg stub"),
		GRUBCommand("grub_cmd", "search.fs_uuid 94f07b36-6512-4b02-849a-286e93dcebf7 root"),
		GRUBCommand("grub_cmd", "set prefix=(hd0,gpt1)/boot/grub"),
		GRUBCommand("grub_cmd", "configfile (hd0,gpt1)/boot/grub/grub.cfg"),
		grubFile("(hd0,gpt1)/boot/grub/grub.cfg", "forged grub.cfg"),
		GRUBCommand("grub_cmd", "set default=0"),
		GRUBCommand("grub_cmd", "linux "+line),
		grubFile("/boot/vmlinuz-6.8.0-1010-gcp", "forged kernel"),
		GRUBCommand("kernel_cmdline", line),
		GRUBCommand("grub_cmd", "initrd /boot/initrd.img-6.8.0-1010-gcp"),
		grubFile("/boot/initrd.img-6.8.0-1010-gcp", "forged initrd"),
	}
}

// GRUBCommand is a string that GRUB measures into PCR 8. The kind, for example
// "grub_cmd" or "kernel_cmdline", is shown in the log but not measured.
func GRUBCommand(kind, text string) Event {
	return Event{PCR: 8, Type: EvIPL, Data: []byte(kind + ": " + text + "\x00"), Measured: []byte(text)}
}

func grubFile(name, content string) Event {
	return Event{PCR: 9, Type: EvIPL, Data: []byte(name + "\x00"), Measured: []byte(content)}
}
