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

	// HWModel is the hardware technology as Google's tokens spell it. For AMD
	// SEV it follows from the measured technology; for SEV-SNP and TDX it
	// needs the verified hardware report.
	HWModel string `json:"hwmodel,omitempty" jsonschema:"enum=GCP_AMD_SEV,enum=GCP_AMD_SEV_ES,enum=GCP_AMD_SEV_SNP,enum=GCP_INTEL_TDX,enum=GCP_SHIELDED_VM"`
	// SWName is GCE, or CONFIDENTIAL_SPACE when a complete COS event log replays.
	SWName string `json:"swname,omitempty" jsonschema:"enum=GCE,enum=CONFIDENTIAL_SPACE"`
	// SecBoot is whether UEFI Secure Boot was on.
	SecBoot *bool `json:"secboot,omitempty"`
	// OEMID is 11129, Google's number, when the AK certificate chains to a root
	// that is trusted for the attestation keys of Compute Engine: Google's own,
	// unless the operator named others. tpm.ak.certificate.root_sha256 says which.
	OEMID *int64 `json:"oemid,omitempty"`
	// AttesterTCB names those whose firmware the hardware report vouches for, as
	// Google's tokens do: AMD and GOOGLE for SEV-SNP, INTEL for TDX.
	AttesterTCB []string `json:"attester_tcb,omitempty"`
	// Sub is the URL of the Compute Engine instance named in the AK certificate.
	Sub string `json:"sub,omitempty"`
	// EATNonce holds the nonces the evidence was made for; for a TPM quote its
	// qualifying data in hex.
	EATNonce []string `json:"eat_nonce,omitempty"`
	// Submods holds what is known of the parts of the machine.
	Submods *Submods `json:"submods,omitempty"`

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
	// GCE identifies the Compute Engine instance, from the AK certificate.
	GCE *GCE `json:"gce,omitempty"`
	// ConfidentialSpace is the state of the Confidential Space launcher.
	ConfidentialSpace *ConfidentialSpace `json:"confidential_space,omitempty"`
	// NVIDIAGPU is the state of the GPU, from the COS event log.
	NVIDIAGPU *NVIDIAGPU `json:"nvidia_gpu,omitempty"`
	// Container is the workload that Confidential Space launched, from the COS
	// event log. The owner of a VM that is not a Confidential Space image can
	// forge it: see boot.forgeable.
	Container *Container `json:"container,omitempty"`
}

// GCE is a Compute Engine instance.
type GCE struct {
	Zone          string `json:"zone"`
	ProjectID     string `json:"project_id"`
	ProjectNumber string `json:"project_number"`
	InstanceName  string `json:"instance_name"`
	InstanceID    string `json:"instance_id"`
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
}

// ConfidentialSpace is the state of the Confidential Space launcher.
type ConfidentialSpace struct {
	MonitoringEnabled MonitoringEnabled `json:"monitoring_enabled"`
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
