// Package token verifies attestation tokens, offline: JSON Web Tokens in which
// an attestation service says what it found about a machine.
//
// [Parse] is a strict gate that runs before any library sees the bytes. What it
// returns is not to be believed. [Appraise] and [Verify] check it against what
// the caller expects: the issuer that was asked for picks the row of a fixed
// table of profiles, and the row decides algorithm, keys and claims. The header
// of a token decides nothing. No function reads a clock, a file or the network.
//
// Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (JWA), RFC 7519 (JWT),
// RFC 8725 (JWT best current practices), RFC 9711 (EAT); the token claims of
// Google Cloud Attestation; the EAT profile of Intel Trust Authority; the token
// examples of Microsoft Azure Attestation; draft-ietf-rats-ear.
package token
