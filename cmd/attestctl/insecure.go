package main

// insecureOption switches one check off.
type insecureOption struct {
	on                   *bool
	name, usage, warning string
}

func (v *verify) insecure() []insecureOption {
	return []insecureOption{
		{
			&v.expect.InsecureShortNonce, "insecure-short-nonce",
			"accept a nonce of fewer than 16 bytes",
			"a short nonce can be guessed: the evidence may be older than the question",
		},
		{
			&v.expect.InsecureNoEventLog, "insecure-no-event-log",
			"accept evidence without an event log",
			"without an event log nothing says how the machine booted",
		},
		{
			&v.expect.InsecureNoHardwareReport, "insecure-no-hardware-report",
			"accept evidence without the report of SEV-SNP or TDX that the technology calls for",
			"without a hardware report nothing but the firmware's word says which technology protects the machine",
		},
		{
			&v.expect.InsecureMigrationAgent, "insecure-migration-agent",
			"accept an SEV-SNP guest that a migration agent may move",
			"a migration agent can take the guest's memory to another machine",
		},
		{
			&v.expect.InsecureSharedAudience, "insecure-shared-audience",
			"accept a token that is for other audiences too",
			"whoever else the token is for could have passed it on",
		},
		{
			&v.expect.InsecureNoNonce, "insecure-no-nonce",
			"do not compare the nonce; never accepted",
			"the nonce is not compared: the evidence may be old or another's, and is not accepted",
		},
		{
			&v.expect.InsecureEvidenceAK, "insecure-evidence-ak",
			"take the attestation key from the evidence; never accepted",
			"the key is taken from the evidence: anybody can make such evidence, and it is not accepted",
		},
	}
}
