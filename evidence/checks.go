package evidence

// CheckInfo documents a check. docs/checks.md is made from this table.
type CheckInfo struct {
	ID      string
	PerBank bool
	Proves  string // what is known when it passes
	Fails   string // when it fails
	Remedy  string // what to do then
	Spec    string // the clause it follows
}

// Checks lists every check that verification knows, in the order of every
// result. A result contains each of them, whatever the evidence was.
var Checks = []CheckInfo{
	{
		ID:     "format.detected",
		Proves: "The bytes are of exactly one supported format.",
		Fails:  "No format or more than one fits, the input is empty, or it is larger than 4 MiB.",
		Remedy: "Name the format with --format; `attestctl inspect` shows what the file holds.",
		Spec:   "docs/architecture.md, evidence formats",
	},
	{
		ID:     "format.strict",
		Proves: "Every structure decodes without a byte to spare: no trailing bytes, no repeated field, no unknown field in text forms, nothing over its limit.",
		Fails:  "A length, a repetition or a trailing byte shows that the evidence has a second reading or was cut.",
		Remedy: "Take the evidence again and do not edit or re-encode it.",
		Spec:   "Protocol Buffers encoding; TPM 2.0 Part 2",
	},
	{
		ID:     "tpm.ak.chain",
		Proves: "The attestation key (AK) is one of a TPM that a trusted certification authority names, at the chosen time, or it is the key the user pinned.",
		Fails:  "There is no AK certificate and no pinned key, the chain does not end in a trusted root, or a certificate is outside its validity.",
		Remedy: "Give the right --trust directory, the time with --at, or pin the key with --ak-pub.",
		Spec:   "RFC 5280, 6.1",
	},
	{
		ID:     "tpm.ak.profile",
		Proves: "The AK certificate is for signing attestations of a production Compute Engine instance: key usage digitalSignature, no foreign extended key usage, not a CA, a strict instance extension.",
		Fails:  "The certificate is for an endorsement key, a CA, another purpose, a non-production machine, or names no instance.",
		Remedy: "Check that the certificate is that of the signing key, not of the encryption key.",
		Spec:   "TCG EK Credential Profile 2.5, 3.2; OID 1.3.6.1.4.1.11129.2.1.21",
	},
	{
		ID:     "tpm.ak.attributes",
		Proves: "The key is restricted, fixed to its TPM, made in it, for signing only and strong enough, so that it signs TPM-made quotes and nothing else.",
		Fails:  "An attribute is missing or too much, or the key is weak. Where nothing proves a public area the check is skipped: the certificate's issuer, or whoever pinned the key, vouches for it.",
		Remedy: "Make the AK with gotpm or tpm2_createak; to have the attributes of a pinned key checked, pin its TPM2B_PUBLIC file rather than a PEM key.",
		Spec:   "TPM 2.0 Part 1, 25.1.6; Part 2, 8.3",
	},
	{
		ID:     "tpm.ak.match",
		Proves: "The AK public area, the AK certificate and the pinned key that are present are all of one key.",
		Fails:  "Two of them differ.",
		Remedy: "Take the evidence again; do not combine parts of two machines.",
		Spec:   "TPM 2.0 Part 2, 12.2.4",
	},
	{
		ID: "tpm.quote.signature", PerBank: true,
		Proves: "The AK signed this quote, with RSASSA or ECDSA and SHA-256 or stronger.",
		Fails:  "The signature is of another key or another message, or of a scheme that does not fit the key.",
		Remedy: "Check that the AK belongs to this evidence; take the evidence again.",
		Spec:   "TPM 2.0 Part 3, 18.4",
	},
	{
		ID:     "tpm.quote.magic",
		Proves: "Each quote was generated inside a TPM and is a quote, not another attestation.",
		Fails:  "Magic or type differ.",
		Remedy: "Take a quote (TPM2_Quote), not a certification or a signature over other data.",
		Spec:   "TPM 2.0 Part 2, 6.2, 6.9 and 10.12.12",
	},
	{
		ID:     "tpm.quote.nonce",
		Proves: "Each quote was made for the nonce the user expects.",
		Fails:  "The nonce differs, is missing, or is shorter than 16 bytes.",
		Remedy: "Pass the nonce that was sent to the VM: --nonce HEX, 16 to 64 bytes.",
		Spec:   "TPM 2.0 Part 2, 10.12.12 (extraData)",
	},
	{
		ID:     "tpm.quote.selection",
		Proves: "Each quote covers every required PCR, no PCR above 23, and exactly the PCRs whose values the evidence gives.",
		Fails:  "The selection is empty, too small, of another bank, or differs from the values.",
		Remedy: "Quote all PCRs; change the required set with --require-pcrs.",
		Spec:   "TPM 2.0 Part 2, 10.6.2",
	},
	{
		ID:     "tpm.quote.pcrs",
		Proves: "The PCR values of the evidence are the quoted ones, each of exactly the length of its bank.",
		Fails:  "A value was edited, moved across a boundary, left out or added.",
		Remedy: "Take the evidence again; PCR values and quote must be of one moment.",
		Spec:   "TPM 2.0 Part 3, 18.4; Part 1, 17.5",
	},
	{
		ID:     "tpm.quote.banks",
		Proves: "Every bank is quoted once, all quotes are of one boot, a SHA-256 or SHA-384 bank is among them, and no bank was left unextended beside another.",
		Fails:  "A bank comes twice, is unknown, blank, or SHA-1 stands alone.",
		Remedy: "Quote every active bank once, in one boot.",
		Spec:   "TCG PTP 1.06, 4.6; TCG PFP 1.06, 3.3",
	},
	{
		ID:     "eventlog.format",
		Proves: "The event log is well formed: known header, exact digests for every bank, nothing left over.",
		Fails:  "There is no log, or a length, an algorithm or an index is wrong.",
		Remedy: "Copy the log byte for byte from /sys/kernel/security/tpm0/binary_bios_measurements.",
		Spec:   "TCG PFP 1.06, 10.2 and 10.4.5.1",
	},
	{
		ID: "eventlog.replay", PerBank: true,
		Proves: "Replaying the log gives the quoted value of every PCR it speaks of.",
		Fails:  "A required PCR differs; the detail names the event after which log and PCR part, where one does.",
		Remedy: "Take log and quote again, together.",
		Spec:   "TCG PFP 1.06, 10.2.2",
	},
	{
		ID:     "eventlog.coverage",
		Proves: "Every required PCR of which the log says nothing still has its reset value: no event was left out.",
		Fails:  "A required PCR was extended and the log does not say by what.",
		Remedy: "Send the whole log.",
		Spec:   "TCG PTP 1.06, 4.6.2",
	},
	{
		ID:     "eventlog.semantics",
		Proves: "The events are a boot that makes sense: one separator in each of PCR 0 to 7, Secure Boot variables before it, each once and well formed, measured data and digest equal.",
		Fails:  "Events contradict each other or the specification.",
		Remedy: "`attestctl replay` shows the events and what is wrong with each.",
		Spec:   "TCG PFP 1.06, 3.3 and 10.4",
	},
	{
		ID:     "cel.replay",
		Proves: "Replaying the COS event log gives the quoted PCR 13 in every bank or, on TDX, RTMR 3.",
		Fails:  "The log is malformed or does not explain the register.",
		Remedy: "Take the evidence again.",
		Spec:   "TCG Canonical Event Log 1.0, 4",
	},
	{
		ID:     "cel.cos",
		Proves: "The COS events describe one launched container, and the launch was completed.",
		Fails:  "An event contradicts another, has a digest that is not its content's, or comes after the launch.",
		Remedy: "Take the evidence after the workload was launched.",
		Spec:   "TCG Canonical Event Log 1.0, 5",
	},
	{
		ID:     "tee.present",
		Proves: "There is the hardware report that the technology measured by the firmware calls for.",
		Fails:  "The firmware measured SEV-SNP or TDX and the evidence has no report of it, or the report is of another technology.",
		Remedy: "Take the evidence with gotpm attest --tee-technology; do not combine parts of two machines.",
		Spec:   "AMD 56860; Intel TDX DCAP Quote Generation Library, A.3",
	},
	{
		ID:     "tee.binding",
		Proves: "The report data of the hardware report was made for the nonce and, by some formulas, for the attestation key of this vTPM: the detail and `tee.bound_to` say which.",
		Fails:  "No formula gives the report data: the report is old, of another machine, or made for something else.",
		Remedy: "Give what the guest put into the report: --tee-nonce, --report-data, or --tee-binding with its formula.",
		Spec:   "AMD 56860, MSG_REPORT_REQ; Intel TDX Module 1.5 ABI, TDG.MR.REPORT; docs/architecture.md, bindings",
	},
	{
		ID:     "snp.report",
		Proves: "The SEV-SNP report is of a known version and processor, and a VCEK or VLEK signs it.",
		Fails:  "The report says that no key signs it, or the processor is of no known product.",
		Remedy: "Take the report again; a newer attestctl may know the processor.",
		Spec:   "AMD 56860, ATTESTATION_REPORT",
	},
	{
		ID:     "snp.chain",
		Proves: "The VCEK or VLEK chains over ASK or ASVK to a trusted AMD root key, at the chosen time. What the evidence carries above it is only compared.",
		Fails:  "There is no certificate, it is signed by another key, of another purpose or out of its time, or the evidence carries a root that is not AMD's.",
		Remedy: "Give the certificate with --snp-cert, the time of the evidence with --at.",
		Spec:   "AMD 57230, 3",
	},
	{
		ID:     "snp.signature",
		Proves: "That key signed the report.",
		Fails:  "A byte of the report was changed, or another key signed it.",
		Remedy: "Take the report again and do not edit it.",
		Spec:   "AMD 56860, ATTESTATION_REPORT, SIGNATURE",
	},
	{
		ID:     "snp.tcb",
		Proves: "The certificate is the one of this product, chip and reported TCB.",
		Fails:  "Product, chip or a component of the TCB differs: the report is of another chip, or the firmware was updated since the certificate was fetched.",
		Remedy: "Fetch the VCEK that the detail names and give it with --snp-cert.",
		Spec:   "AMD 57230, VCEK certificate extensions",
	},
	{
		ID:     "snp.policy",
		Proves: "The guest policy forbids debugging and a migration agent.",
		Fails:  "The host may read the guest's memory, or move it.",
		Remedy: "Launch the guest with a stricter policy.",
		Spec:   "AMD 56860, guest policy",
	},
	{
		ID:     "snp.vmpl",
		Proves: "The report was asked for at the expected privilege level, 0 unless --vmpl says otherwise.",
		Fails:  "Less privileged code or the hypervisor asked for it.",
		Remedy: "Ask for the report at VMPL 0, or give the level of the guest with --vmpl.",
		Spec:   "AMD 56860, MSG_REPORT_REQ",
	},
	{
		ID:     "snp.revocation",
		Proves: "A current revocation list of the AMD root key names none of the keys. Skipped where no list was given.",
		Fails:  "A key is revoked, or the list is stale or not the root key's.",
		Remedy: "Fetch the list and give it with --crl.",
		Spec:   "AMD 57230, certificate revocation list; RFC 5280, 5",
	},
	{
		ID:     "tdx.chain",
		Proves: "The platform's PCK certificate chains over a PCK CA to Intel's trusted root, at the chosen time.",
		Fails:  "The chain ends elsewhere, is not the one of a PCK, or is out of its time.",
		Remedy: "Give the time of the evidence with --at.",
		Spec:   "Intel SGX PCK Certificate and CRL Profile, 1.3",
	},
	{
		ID:     "tdx.signature",
		Proves: "The attestation key signed the TDX quote, the quoting enclave vouches for that key, and the platform for the enclave.",
		Fails:  "A byte of the quote was changed, or its parts are of different quotes.",
		Remedy: "Take the quote again and do not edit it.",
		Spec:   "Intel TDX DCAP Quote Generation Library, A.3.8 and A.3.10",
	},
	{
		ID:     "tdx.attributes",
		Proves: "The trust domain is not under debug.",
		Fails:  "The host can read its memory.",
		Remedy: "Start the trust domain without debug attributes.",
		Spec:   "Intel TDX Module 1.5 ABI, ATTRIBUTES",
	},
	{
		ID:     "tdx.collateral",
		Proves: "Intel's collateral, signed and current, says how current the platform was: `tee.tdx.tcb_status`, which a policy must read. Skipped where no collateral was given.",
		Fails:  "The collateral is not signed by Intel, expired, of another platform, or revokes the platform's key.",
		Remedy: "Fetch the collateral of this platform and give it with --collateral.",
		Spec:   "Intel PCS API 4, TCB info and enclave identity",
	},
	{
		ID:     "tdx.rtmr",
		Proves: "Every event log of a run-time measurement register leads to its quoted value.",
		Fails:  "An event was changed, added or left out.",
		Remedy: "Take log and quote again, together.",
		Spec:   "UEFI 2.10, 38.4.1; Intel TDX Module 1.5 ABI, TDG.MR.RTMR.EXTEND",
	},
}
