package server

import "github.com/attestctl/attestctl/evidence"

const (
	checkBound  = "evidence.bound"
	checkAge    = "evidence.age"
	checkFresh  = "challenge.fresh"
	checkUnused = "challenge.unused"
	checkEK     = "ek.trusted"
)

// Checks are those that the server makes beside those of package evidence. They are in
// no result: the audit log names the ones that failed.
var Checks = []evidence.CheckInfo{
	{
		ID:     checkFresh,
		Proves: "The challenge is the server's own, for this secret and key, and not over.",
		Fails:  "The challenge was made by another server, for another secret or key, before a restart, or too long ago.",
		Remedy: "Take a new challenge and answer it at once; replicas need the same --challenge-keys.",
		Spec:   "docs/serve.md",
	},
	{
		ID:     checkUnused,
		Proves: "Neither the challenge nor a token that answers none was used before.",
		Fails:  "Something was released for it already, by this server, a replica or one before a restart.",
		Remedy: "Take a new challenge or token; a secret with reuse takes one token again.",
		Spec:   "docs/serve.md",
	},
	{
		ID:     checkBound,
		Proves: "The evidence is bound to challenge, key and TPM as the secret demands.",
		Fails: "It answers no challenge, there is no key or endorsement key where the secret demands one, or the Name of the " +
			"attestation key is not proven.",
		Remedy: "Ask with attestctl request, with --wrap tpm for binding ak; only a secret with plaintext and an empty binding takes a token alone.",
		Spec:   "docs/serve.md",
	},
	{
		ID:     checkAge,
		Proves: "The evidence is as new as the secret demands.",
		Fails:  "The challenge, or a token that answers none, was issued longer ago than max_age.",
		Remedy: "Attest again; raise max_age if the machine needs longer.",
		Spec:   "docs/serve.md",
	},
	{
		ID:     checkEK,
		Proves: "The endorsement key, to which the secret would be wrapped, is one of a genuine TPM.",
		Fails:  "It is not pinned and no trusted authority certifies it, or it is not a key for decryption that never leaves its TPM.",
		Remedy: "Put the authority into ek/roots of the trust directory, or pin the key there: attestctl tpm ek > ek/pins/NAME.pub.",
		Spec:   "TCG EK Credential Profile 2.5, 3; TPM 2.0 Part 1, 24",
	},
}
