package claims

// TEE is what the signed report of the hardware says: an SEV-SNP attestation
// report or a TDX quote, whose signature, certificates and binding were verified.
type TEE struct {
	// Type is the technology: SEV_SNP or TDX.
	Type string `json:"type" jsonschema:"enum=SEV_SNP,enum=TDX"`
	// BoundTo lists what the report data proves the report was made for: the
	// nonce, the attestation key of the vTPM (ak), further data of the workload
	// (extra), or all the bytes that the user gave (report_data). A report that is not bound to ak may be that of another
	// machine.
	BoundTo []string `json:"bound_to"`
	// Binding names the formula by which the report data was made.
	Binding string `json:"binding"`
	// SNP holds an SEV-SNP report.
	SNP *SNP `json:"snp,omitempty"`
	// TDX holds a TDX quote.
	TDX *TDX `json:"tdx,omitempty"`
}

// SNP is a verified SEV-SNP attestation report (AMD 56860, ATTESTATION_REPORT).
type SNP struct {
	ReportVersion int `json:"report_version"`
	// Product is the processor line by the signed report, or by the certificate
	// where the report is of version 2 and does not say.
	Product string `json:"product" jsonschema:"enum=Milan,enum=Genoa,enum=Turin"`
	// CPUID is the processor by the signed report; absent before version 3.
	CPUID *CPUID `json:"cpuid,omitempty"`
	// Policy is what the guest's owner lets the host do.
	Policy SNPPolicy `json:"policy"`
	// VMPL is the privilege level the report was asked for at: 0 is the highest.
	VMPL int `json:"vmpl"`
	// SigningKey is VCEK, a key of one chip, or VLEK, a key of a cloud provider.
	SigningKey string `json:"signing_key" jsonschema:"enum=VCEK,enum=VLEK"`
	// ChipKeyMasked is whether the platform was told not to use its VCEK.
	ChipKeyMasked bool `json:"chip_key_masked"`
	// AuthorKeyEnabled is whether author_key_digest is that of a key.
	AuthorKeyEnabled bool `json:"author_key_enabled"`
	// Measurement is the launch digest of the guest, SHA-384.
	Measurement     string `json:"measurement"`
	HostData        string `json:"host_data"`
	ReportData      string `json:"report_data"`
	IDKeyDigest     string `json:"id_key_digest"`
	AuthorKeyDigest string `json:"author_key_digest"`
	FamilyID        string `json:"family_id"`
	ImageID         string `json:"image_id"`
	GuestSVN        int64  `json:"guest_svn"`
	ReportID        string `json:"report_id"`
	ReportIDMA      string `json:"report_id_ma"`
	// TCB holds the security patch levels of the platform.
	TCB SNPTCB `json:"tcb"`
	// Provisional is whether the current TCB is not committed: the host can go
	// back to an older one.
	Provisional bool `json:"provisional"`
	// Firmware holds the versions of the SEV-SNP firmware.
	Firmware SNPFirmware `json:"firmware"`
	// Platform is what the platform says of itself.
	Platform SNPPlatform `json:"platform"`
	// Mitigation holds the mitigation vectors; absent before version 5.
	Mitigation *SNPMitigation `json:"mitigation,omitempty"`
	// ChipID identifies the processor; absent where the host hides it.
	ChipID string `json:"chip_id,omitempty"`
	// Certificate is that of the key which signed the report.
	Certificate SNPCertificate `json:"certificate"`
	// Revocation is checked where a current list of AMD's was given.
	Revocation string `json:"revocation" jsonschema:"enum=checked,enum=unchecked"`
	// KnownBreaks names public breaks of the product's keys that no patch level
	// undoes.
	KnownBreaks []string `json:"known_breaks,omitempty"`
}

// CPUID is a processor by family, model and stepping.
type CPUID struct {
	Family   int `json:"family"`
	Model    int `json:"model"`
	Stepping int `json:"stepping"`
}

// SNPPolicy is the guest policy (AMD 56860, guest policy).
type SNPPolicy struct {
	// ABI is the least firmware ABI, as major.minor.
	ABI              string `json:"abi"`
	SMT              bool   `json:"smt"`
	MigrateMA        bool   `json:"migrate_ma"`
	Debug            bool   `json:"debug"`
	SingleSocket     bool   `json:"single_socket"`
	CXL              bool   `json:"cxl"`
	MemAES256XTS     bool   `json:"mem_aes_256_xts"`
	RAPLDisable      bool   `json:"rapl_dis"`
	CiphertextHiding bool   `json:"ciphertext_hiding"`
	PageSwapDisable  bool   `json:"page_swap_disable"`
}

// SNPTCB holds the TCBs of a report and that of the certificate.
type SNPTCB struct {
	Reported    TCB `json:"reported"`
	Current     TCB `json:"current"`
	Committed   TCB `json:"committed"`
	Launch      TCB `json:"launch"`
	Certificate TCB `json:"cert"`
}

// TCB is the security patch level of each component that the product has.
type TCB struct {
	// FMC is that of the first mutable code; Turin only.
	FMC        *int `json:"fmc,omitempty"`
	BootLoader int  `json:"bootloader"`
	TEE        int  `json:"tee"`
	SNP        int  `json:"snp"`
	Microcode  int  `json:"microcode"`
}

// SNPFirmware holds firmware versions as major.minor.build.
type SNPFirmware struct {
	Current   string `json:"current"`
	Committed string `json:"committed"`
}

// SNPPlatform is what the platform says of itself (AMD 56860, PLATFORM_INFO).
type SNPPlatform struct {
	SMT              bool `json:"smt"`
	TSME             bool `json:"tsme"`
	ECC              bool `json:"ecc"`
	RAPLDisabled     bool `json:"rapl_disabled"`
	CiphertextHiding bool `json:"ciphertext_hiding"`
	AliasCheck       bool `json:"alias_check"`
	TIO              bool `json:"tio"`
	// UnknownBits are the bits without a name here, in hex; absent if there are none.
	UnknownBits string `json:"unknown_bits,omitempty"`
}

// SNPMitigation holds vectors of applied mitigations, in hex.
type SNPMitigation struct {
	Launch  string `json:"launch"`
	Current string `json:"current"`
}

// SNPCertificate is the certificate of a VCEK or VLEK.
type SNPCertificate struct {
	SHA256    string `json:"sha256"`
	Serial    string `json:"serial"`
	NotBefore int64  `json:"not_before"`
	NotAfter  int64  `json:"not_after"`
	// RootSHA256 is the digest of the AMD root key's certificate.
	RootSHA256 string `json:"root_sha256"`
	// CSPID is the cloud provider that a VLEK belongs to.
	CSPID string `json:"csp_id,omitempty"`
}

// TDX is a verified TDX quote (Intel TDX DCAP Quote Generation Library, A.3, A.4).
type TDX struct {
	QuoteVersion int `json:"quote_version"`
	// Attributes are those of the trust domain.
	Attributes TDXAttributes `json:"attributes"`
	XFAM       string        `json:"xfam"`
	// MRSeam is the measurement of the TDX module, MRSignerSeam its signer.
	MRSeam         string `json:"mrseam"`
	MRSignerSeam   string `json:"mrsignerseam"`
	SeamAttributes string `json:"seam_attributes"`
	// MRTD is the measurement of the initial contents, SHA-384.
	MRTD string `json:"mrtd"`
	// RTMR are the four run-time measurement registers.
	RTMR []string `json:"rtmr"`
	// RTMRReplayed lists the registers that a replayed event log explains.
	RTMRReplayed  []int  `json:"rtmr_replayed,omitempty"`
	MRConfigID    string `json:"mrconfigid"`
	MROwner       string `json:"mrowner"`
	MROwnerConfig string `json:"mrownerconfig"`
	ReportData    string `json:"report_data"`
	TeeTCBSVN     string `json:"tee_tcb_svn"`
	// TeeTCBSVN2 and MRServiceTD are those of a TDX 1.5 body.
	TeeTCBSVN2  string `json:"tee_tcb_svn2,omitempty"`
	MRServiceTD string `json:"mrservicetd,omitempty"`
	// TCBStatus is Intel's word for how current the platform was, the worst of
	// its parts, or unchecked where no collateral was given.
	TCBStatus string `json:"tcb_status" jsonschema:"enum=UpToDate,enum=SWHardeningNeeded,enum=ConfigurationNeeded,enum=ConfigurationAndSWHardeningNeeded,enum=OutOfDate,enum=OutOfDateConfigurationNeeded,enum=Revoked,enum=unchecked"`
	// TCB says how the status came about; absent where it is unchecked.
	TCB *TDXTCB `json:"tcb,omitempty"`
	// QE is the quoting enclave.
	QE TDXQE `json:"qe"`
	// PCK identifies the platform by its certificate.
	PCK TDXPCK `json:"pck"`
}

// TDXAttributes are the attributes of a trust domain (Intel TDX Module 1.5 ABI).
type TDXAttributes struct {
	Debug         bool `json:"debug"`
	SeptVEDisable bool `json:"sept_ve_disable"`
	Migratable    bool `json:"migratable"`
	PKS           bool `json:"pks"`
	KL            bool `json:"kl"`
	PerfMon       bool `json:"perfmon"`
	// Bits are all 64 bits in hex.
	Bits string `json:"bits"`
}

// TDXTCB is what Intel's collateral says of the platform.
type TDXTCB struct {
	// PlatformStatus, ModuleStatus and QEStatus are those of the parts; the module
	// of TDX 1.0 is part of the platform.
	PlatformStatus string   `json:"platform_status"`
	ModuleStatus   string   `json:"module_status,omitempty"`
	QEStatus       string   `json:"qe_status"`
	AdvisoryIDs    []string `json:"advisory_ids"`
	// EvaluationDataNumber is the lower one of TCB info and QE identity.
	EvaluationDataNumber int64 `json:"tcb_evaluation_data_number"`
	// Date is the earliest date of the levels that the platform reaches.
	Date int64 `json:"tcb_date"`
	// Issued and NextUpdate bound the collateral in time.
	Issued     int64 `json:"issued"`
	NextUpdate int64 `json:"next_update"`
}

// TDXQE is the quoting enclave that signed the quote.
type TDXQE struct {
	MRSigner  string `json:"mrsigner"`
	MREnclave string `json:"mrenclave"`
	ISVProdID int    `json:"isv_prod_id"`
	ISVSVN    int    `json:"isv_svn"`
}

// TDXPCK is the platform by the certificate of its provisioning key.
type TDXPCK struct {
	SHA256   string `json:"sha256"`
	FMSPC    string `json:"fmspc"`
	PCEID    string `json:"pceid"`
	PCESVN   int    `json:"pcesvn"`
	CA       string `json:"ca" jsonschema:"enum=platform,enum=processor"`
	NotAfter int64  `json:"not_after"`
	// PPIDSHA256 is the digest of the identifier of the platform, which is unique
	// to it.
	PPIDSHA256 string `json:"ppid_sha256"`
	// PlatformInstanceID identifies a platform of several sockets.
	PlatformInstanceID string `json:"platform_instance_id,omitempty"`
	// RootSHA256 is the digest of Intel's root certificate.
	RootSHA256 string `json:"root_sha256"`
}
