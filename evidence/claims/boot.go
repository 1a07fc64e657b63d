package claims

// Boot is what the replayed TCG event log says about how the machine booted.
type Boot struct {
	// Bank is the PCR bank whose digests are shown.
	Bank string `json:"bank"`
	// RequiredPCRs lists the PCRs that had to be quoted and explained.
	RequiredPCRs []int `json:"required_pcrs"`
	// Complete is whether all of PCR 0 to 9 and 14 are quoted and explained by
	// the log. It is false if the user required fewer.
	Complete bool `json:"complete"`
	// Events is the number of events in the log, its header not counted. Events
	// that were not measured count too.
	Events int `json:"events"`
	// UnexplainedPCRs lists quoted PCRs outside the required set that neither
	// the log nor a reset value explains.
	UnexplainedPCRs []int `json:"unexplained_pcrs,omitempty"`
	// UnquotedPCRs lists PCRs that the log speaks of and no quote covers. Nothing
	// that the log says of them is used.
	UnquotedPCRs []int `json:"unquoted_pcrs,omitempty"`
	// UnknownEvents lists events of a type that attestctl does not know.
	UnknownEvents []UnknownEvent `json:"unknown_events,omitempty"`
	// Firmware identifies the firmware by its own measured words.
	Firmware *Firmware `json:"firmware,omitempty"`
	// Technology is the confidential-computing technology that the firmware of
	// a Compute Engine VM measured. Absent is not NONE.
	Technology string `json:"technology,omitempty" jsonschema:"enum=NONE,enum=AMD_SEV,enum=AMD_SEV_ES,enum=AMD_SEV_SNP,enum=INTEL_TDX"`
	// SecureBoot holds the UEFI Secure Boot variables.
	SecureBoot *SecureBoot `json:"secure_boot,omitempty"`
	// EFIApps lists the EFI applications of the boot that succeeded, in order.
	EFIApps []Image `json:"efi_apps,omitempty"`
	// EFIDrivers lists the drivers and option ROMs of PCR 2 that were measured
	// before its separator.
	EFIDrivers []Image `json:"efi_drivers,omitempty"`
	// DeviceImages lists the images measured into PCR 2 after its separator.
	DeviceImages []Image `json:"device_images,omitempty"`
	// GRUB holds what GRUB measured.
	GRUB *GRUB `json:"grub,omitempty"`
	// Kernel is the kernel as its boot loader measured it.
	Kernel *Kernel `json:"kernel,omitempty"`
	// Tagged lists the tagged events that the Linux EFI stub measured.
	Tagged []Tagged `json:"tagged,omitempty"`
	// ExitBootServices says what the firmware measured of its hand-over.
	ExitBootServices *ExitBootServices `json:"exit_boot_services,omitempty"`
	// Attempts counts the boot options that the firmware tried.
	Attempts int `json:"attempts,omitempty"`
	// UEFIDebug is whether the firmware measured that it was in debug mode.
	UEFIDebug *bool `json:"uefi_debug,omitempty"`
	// DMAProtectionDisabled is whether the firmware measured that DMA protection
	// was disabled.
	DMAProtectionDisabled *bool `json:"dma_protection_disabled,omitempty"`
	// Forgeable names the claims that somebody who controls the VM after boot
	// can still forge, unless the raw PCR values are pinned too.
	Forgeable []string `json:"forgeable,omitempty"`
}

// UnknownEvent is an event of a type that attestctl does not know.
type UnknownEvent struct {
	Event  int    `json:"event"`
	PCR    int    `json:"pcr"`
	Type   string `json:"type"`
	Digest string `json:"digest"`
}

// Tagged is a tagged event of the Linux EFI stub. Its ID is not measured.
type Tagged struct {
	UntrustedID string `json:"untrusted_id"`
	Digest      string `json:"digest"`
}

// ExitBootServices says which actions of the hand-over to the operating system
// were measured into PCR 5.
type ExitBootServices struct {
	Invoked   bool `json:"invoked"`
	Succeeded bool `json:"succeeded"`
	// Failed says that an attempt failed; a later one may have succeeded.
	Failed bool `json:"failed"`
}

// Firmware identifies the firmware.
type Firmware struct {
	// CRTMVersion is the S-CRTM version string.
	CRTMVersion string `json:"crtm_version,omitempty"`
	// GCEVersion is the number in "GCE Virtual Firmware v<N>".
	GCEVersion *int64 `json:"gce_version,omitempty"`
}

// SecureBoot holds the UEFI Secure Boot variables as the firmware measured them.
type SecureBoot struct {
	Enabled *bool     `json:"enabled,omitempty"`
	PK      *Database `json:"pk,omitempty"`
	KEK     *Database `json:"kek,omitempty"`
	DB      *Database `json:"db,omitempty"`
	DBX     *Database `json:"dbx,omitempty"`
	// Authority lists the keys that accepted the loaded images.
	Authority []Authority `json:"authority,omitempty"`
	// MOK is the state of shim's machine owner keys.
	MOK *MOK `json:"mok,omitempty"`
	// SBATLevel is the revocation level that shim enforces, as it measured it:
	// "sbat,1,2021030218".
	SBATLevel string `json:"sbat_level,omitempty"`
}

// Database is the content of a Secure Boot signature database. An empty one was
// measured as empty or unset.
type Database struct {
	// Certificates are the X.509 entries.
	Certificates []Signature `json:"certificates,omitempty"`
	// Hashes are the SHA-256 image hashes, in hex.
	Hashes []string `json:"hashes,omitempty"`
	// Other holds entries of other signature types.
	Other []Signature `json:"other,omitempty"`
}

// Signature is an entry of a signature database. SHA256 is the digest of an
// X.509 certificate in DER or of the opaque entry, or the image hash itself.
type Signature struct {
	Type    string `json:"type"`
	SHA256  string `json:"sha256"`
	Subject string `json:"subject,omitempty"`
	Owner   string `json:"owner,omitempty"`
}

// Authority is a key that firmware or shim used to accept an image. Variable
// names where it is enrolled: "db", "MokList", or "Shim" for the one built in.
type Authority struct {
	Variable string `json:"variable"`
	Type     string `json:"type"`
	SHA256   string `json:"sha256"`
	Subject  string `json:"subject,omitempty"`
	Owner    string `json:"owner,omitempty"`
}

// MOK is the state of shim's machine owner keys (PCR 14). The names of these
// events are not measured.
type MOK struct {
	Events []MOKEvent `json:"events,omitempty"`
	// ValidationDisabled is present when MokSBState was measured.
	ValidationDisabled *bool `json:"validation_disabled,omitempty"`
	// ListTrusted is present when MokListTrusted was measured.
	ListTrusted *bool `json:"list_trusted,omitempty"`
}

// MOKEvent is one measurement of shim into PCR 14.
type MOKEvent struct {
	UntrustedName string `json:"untrusted_name"`
	Digest        string `json:"digest"`
}

// Image is a loaded EFI image, by the digest the firmware measured.
type Image struct {
	Digest string `json:"digest"`
}

// GRUB holds what GRUB measured.
type GRUB struct {
	// Commands are the executed commands, PCR 8.
	Commands []string `json:"commands,omitempty"`
	// Files are the files read, PCR 9.
	Files []File `json:"files,omitempty"`
}

// File is a file that a boot loader read. Its name is not measured.
type File struct {
	UntrustedName string `json:"untrusted_name"`
	Digest        string `json:"digest"`
}

// Kernel is the kernel as its boot loader measured it.
type Kernel struct {
	CommandLine string `json:"command_line"`
}
