// Package forge makes synthetic TPM attestations: a test CA, a software
// attestation key, measured boots in the shape of Google Compute Engine's, the
// SEV-SNP reports and TDX quotes of their hardware, the tokens of attestation
// services, and every defect that a verifier must refuse.
//
// A [Machine] describes a virtual machine; its zero value boots an honest one.
// [Machine.Attest] measures that boot, quotes it and returns the [Evidence].
// [Edits] change any stage on the way, after which the later stages go on
// honestly: what was edited is the only thing wrong. [Cases], [HardwareCases],
// [TokenCases] and [CloudLogCases] are the catalogue of named defects, each with
// its honest twin, and [HostileKeySets] that of key files.
//
// [SNP] and [TDX] describe a hardware report by itself. A Machine with
// [Hardware] adds one to its message, bound to nonce and key by a formula, and
// [Evidence.TrustFiles] are what its verifier must trust: AMD's and Intel's
// hierarchies in name and form, under keys of the forge.
//
// [Token] describes an attestation token, of the same machine as its raw evidence
// where both are wanted. [CloudLog] exports both as gotpm logs them, and
// [Evidence.RESTBody] is the request that a token is asked for with.
//
// Everything is derived from the seed of [Keys]: the same seed gives the same
// bytes. Only the hierarchy of [AMD] is the same under every seed. Nothing here
// is secret, and no verifier may trust a forged root outside a test. The package
// shares no code with the packages that verify, so that one misreading of a
// specification cannot hide in both.
package forge
