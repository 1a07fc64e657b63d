// Package claims defines the document that a verified piece of evidence turns
// into and that a policy sees as input.
//
// A claim is present only if every byte it came from is covered by a verified
// signature or digest. An absent claim says nothing: it is never false, zero or
// empty by default, which is why every field is a pointer, a string that is
// never legitimately empty, or a list. Names in the common block are those of
// Google's attestation tokens.
package claims

// Schema names the version of the document. Adding a field keeps it; changing
// the meaning of one makes a new version.
const Schema = "attestctl.claims/v1"

// Claims is the whole document. Integers beyond 2^53 are decimal strings,
// digests are lower-case hex, times are seconds since the Unix epoch.
type Claims struct {
	// Schema is always "attestctl.claims/v1".
	Schema string `json:"schema" jsonschema:"enum=attestctl.claims/v1"`
	// Format names the evidence format that the claims were proven from.
	Format string `json:"format"`
	// VerifiedAt is the time the evidence was verified at, which is the clock
	// of every policy.
	VerifiedAt int64 `json:"verified_at"`

	// TimeSource is "log" where the evidence was verified as of the time at which
	// Cloud Logging recorded it, for which the log alone vouches; otherwise absent.
	TimeSource string `json:"time_source,omitempty" jsonschema:"enum=log"`
	// NonceSource says what the nonces of the evidence were compared with: "expected"
	// is what the verifier expected, "log" the challenge of the log that the evidence
	// is from, so that quotes and reports may be of any time, and "none" nothing,
	// because a token was asked for without a nonce.
	NonceSource string `json:"nonce_source,omitempty" jsonschema:"enum=expected,enum=log,enum=none"`

	// HWModel is the hardware technology as Google's tokens spell it. From raw
	// evidence it follows for AMD SEV from the measured technology; for SEV-SNP
	// and TDX it needs the verified hardware report. A token of Intel Trust
	// Authority says INTEL_TDX, of whatever provider's machine. What a token says
	// beyond these values is in token.hwmodel alone.
	HWModel string `json:"hwmodel,omitempty" jsonschema:"enum=GCP_AMD_SEV,enum=GCP_AMD_SEV_ES,enum=GCP_AMD_SEV_SNP,enum=GCP_INTEL_TDX,enum=GCP_SHIELDED_VM,enum=INTEL_TDX"`
	// SWName is GCE or CONFIDENTIAL_SPACE. From raw evidence it is the latter when
	// a complete COS event log replays.
	SWName string `json:"swname,omitempty" jsonschema:"enum=GCE,enum=CONFIDENTIAL_SPACE"`
	// SWVersion is the version of the Confidential Space image; tokens only.
	SWVersion []string `json:"swversion,omitempty"`
	// SecBoot is whether UEFI Secure Boot was on.
	SecBoot *bool `json:"secboot,omitempty"`
	// DbgStat is "disabled-since-boot" for a production image of Confidential
	// Space and "enabled" for a debug image; tokens only. Tokens of plain Compute
	// Engine machines have not carried it since 2025.
	DbgStat string `json:"dbgstat,omitempty"`
	// OEMID is 11129, Google's number, when the AK certificate chains to a root
	// that is trusted for the attestation keys of Compute Engine: Google's own,
	// unless the operator named others. tpm.ak.certificate.root_sha256 says which.
	// A token says it of itself.
	OEMID *int64 `json:"oemid,omitempty"`
	// AttesterTCB names those whose firmware the hardware report vouches for, as
	// Google's tokens do: AMD and GOOGLE for SEV-SNP, INTEL for TDX.
	AttesterTCB []string `json:"attester_tcb,omitempty"`
	// Iss is the issuer of a token, byte for byte as it was expected.
	Iss string `json:"iss,omitempty"`
	// Sub is the URL of the Compute Engine instance: that of the AK certificate,
	// or the subject of a token.
	Sub string `json:"sub,omitempty"`
	// Aud holds the audience of a token, which the verifier expected.
	Aud []string `json:"aud,omitempty"`
	// Iat is when a token was issued.
	Iat *int64 `json:"iat,omitempty"`
	// Nbf is the time before which a token does not count.
	Nbf *int64 `json:"nbf,omitempty"`
	// Exp is when a token ends.
	Exp *int64 `json:"exp,omitempty"`
	// EATNonce holds the nonces the evidence was made for: for a TPM quote its
	// qualifying data in hex, for a token all that were asked for, of which the
	// verifier expected one.
	EATNonce []string `json:"eat_nonce,omitempty"`
	// EATProfile names the profile of a token's claims.
	EATProfile string `json:"eat_profile,omitempty"`
	// GoogleServiceAccounts are the service accounts that the workload proved to
	// Google to run as; tokens only.
	GoogleServiceAccounts []string `json:"google_service_accounts,omitempty"`
	// Submods holds what is known of the parts of the machine.
	Submods *Submods `json:"submods,omitempty"`

	// Token holds all verified claims of a token as it spelled them. A number that
	// is not an integer up to 2^53 is a string of the same digits.
	Token map[string]any `json:"token,omitempty"`

	// TPM holds what the TPM's quotes prove.
	TPM *TPM `json:"tpm,omitempty"`
	// Boot holds what the replayed event log says.
	Boot *Boot `json:"boot,omitempty"`
	// TEE holds what the signed report of the hardware says.
	TEE *TEE `json:"tee,omitempty"`
	// ValidUntil is when the first certificate, revocation list or collateral
	// that the verification rests on ends.
	ValidUntil int64 `json:"valid_until,omitempty"`

	// Checks gives the status of every check by its ID.
	Checks map[string]string `json:"checks"`
	// Insecure names the --insecure options that were in force.
	Insecure []string `json:"insecure,omitempty"`
}

// Submods are the parts of the machine, in the layout of Google's tokens.
type Submods struct {
	// GCE identifies the Compute Engine instance, from the AK certificate or a token.
	GCE *GCE `json:"gce,omitempty"`
	// ConfidentialSpace is the state of the Confidential Space launcher.
	ConfidentialSpace *ConfidentialSpace `json:"confidential_space,omitempty"`
	// NVIDIAGPU is the state of the GPU, from the COS event log.
	NVIDIAGPU *NVIDIAGPU `json:"nvidia_gpu,omitempty"`
	// Container is the workload that Confidential Space launched, from the COS
	// event log or a token. In the log, the owner of a VM that is not a Confidential Space image can
	// forge it: see boot.forgeable.
	Container *Container `json:"container,omitempty"`
}

// GCE is a Compute Engine instance. All are present where an AK certificate names
// it; a token may leave some out.
type GCE struct {
	Zone          string `json:"zone,omitempty"`
	ProjectID     string `json:"project_id,omitempty"`
	ProjectNumber string `json:"project_number,omitempty"`
	InstanceName  string `json:"instance_name,omitempty"`
	InstanceID    string `json:"instance_id,omitempty"`
}

// Container is a container launched by Confidential Space.
type Container struct {
	ImageReference string            `json:"image_reference,omitempty"`
	ImageDigest    string            `json:"image_digest,omitempty"`
	ImageID        string            `json:"image_id,omitempty"`
	RestartPolicy  string            `json:"restart_policy,omitempty"`
	Args           []string          `json:"args,omitempty"`
	Env            map[string]string `json:"env,omitempty"`
	EnvOverride    map[string]string `json:"env_override,omitempty"`
	CmdOverride    []string          `json:"cmd_override,omitempty"`
	// ImageSignatures are signatures of the image that Google verified; tokens only.
	ImageSignatures []ImageSignature `json:"image_signatures,omitempty"`
}

// ImageSignature is a verified signature of a container image.
type ImageSignature struct {
	KeyID     string `json:"key_id,omitempty"`
	Signature string `json:"signature,omitempty"`
	Algorithm string `json:"signature_algorithm,omitempty"`
}

// ConfidentialSpace is the state of the Confidential Space launcher.
type ConfidentialSpace struct {
	// SupportAttributes say how the image is supported: LATEST, STABLE, USABLE,
	// EXPERIMENTAL; tokens only, and absent for debug images.
	SupportAttributes []string `json:"support_attributes,omitempty"`
	// MonitoringEnabled says what the launcher monitors.
	MonitoringEnabled *MonitoringEnabled `json:"monitoring_enabled,omitempty"`
}

// MonitoringEnabled says what the launcher monitors.
type MonitoringEnabled struct {
	Memory bool `json:"memory"`
}

// NVIDIAGPU is the state of the GPU.
type NVIDIAGPU struct {
	// CCMode is ON, OFF or DEVTOOLS.
	CCMode string `json:"cc_mode"`
}
