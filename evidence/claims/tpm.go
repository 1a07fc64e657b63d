package claims

// TPM is what the quotes of a TPM prove.
type TPM struct {
	// AK is the attestation key that signed the quotes.
	AK AK `json:"ak"`
	// Banks lists the PCR banks whose quotes were verified.
	Banks []string `json:"banks"`
	// PCRs gives every quoted PCR by bank and decimal index, in hex.
	PCRs map[string]map[string]string `json:"pcrs"`
	// Nonce is the qualifying data of the quotes in hex.
	Nonce string `json:"nonce"`
	// Clock is the TPM's own view of time at the last quote.
	Clock Clock `json:"clock"`
	// FirmwareVersion is the TPM's firmware version, an unsigned 64-bit number
	// in decimal.
	FirmwareVersion string `json:"firmware_version"`
}

// AK is an attestation key.
type AK struct {
	// Trust says why the key is trusted: by its certificate, or pinned.
	Trust string `json:"trust" jsonschema:"enum=certificate,enum=pinned"`
	// Algorithm is rsa or ecc.
	Algorithm string `json:"algorithm" jsonschema:"enum=rsa,enum=ecc"`
	// Bits is the size of the modulus or of the curve.
	Bits int `json:"bits"`
	// Attributes are the TPM object attributes. They are present only where
	// the signed qualified name of the key proves its public area.
	Attributes []string `json:"attributes,omitempty"`
	// KeySHA256 is the SHA-256 of the key as DER SubjectPublicKeyInfo.
	KeySHA256 string `json:"key_sha256"`
	// Certificate is the AK certificate, when trust rests on it.
	Certificate *Certificate `json:"certificate,omitempty"`
}

// Certificate is an AK certificate.
type Certificate struct {
	SHA256    string `json:"sha256"`
	Subject   string `json:"subject"`
	Issuer    string `json:"issuer"`
	NotBefore int64  `json:"not_before"`
	NotAfter  int64  `json:"not_after"`
	// RootSHA256 is the SHA-256 of the trust anchor that the chain ends in.
	RootSHA256 string `json:"root_sha256"`
	// Production is the isProduction flag of Google's instance extension.
	Production *bool `json:"production,omitempty"`
	// SecurityVersion is the securityVersion of Google's instance extension.
	SecurityVersion *int64 `json:"security_version,omitempty"`
	// Revocation says whether a revocation list was consulted.
	Revocation string `json:"revocation" jsonschema:"enum=unchecked"`
}

// Clock is the TPM's clock information. Clock is in milliseconds since the TPM
// was cleared, an unsigned 64-bit number in decimal.
type Clock struct {
	Clock        string `json:"clock"`
	ResetCount   uint32 `json:"reset_count"`
	RestartCount uint32 `json:"restart_count"`
	Safe         bool   `json:"safe"`
}
