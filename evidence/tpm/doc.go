// Package tpm decodes the TPM 2.0 structures that attestation evidence
// carries: TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC.
//
// Every decoder is strict: each length is checked before it is used, trailing
// bytes are an error, and what was decoded encodes to the input again. Nothing
// here is trusted; package evidence verifies.
package tpm
