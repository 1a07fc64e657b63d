// Package tdx decodes and verifies Intel TDX quotes, offline and against trust
// the caller names.
//
// A quote is decoded by [ParseQuote], its signatures are checked by
// [Quote.VerifySignature], the certificate of its platform by
// [Roots.VerifyPCK], and how current that platform was at a given time is read
// from Intel's signed collateral by [Collateral.Evaluate]. Each step needs the
// one before; none reads a clock, a file or the network.
//
// Decoding is strict: every length is checked before it is used, what was
// decoded encodes to the input again, and what is not in the layout is refused.
//
// Sources: Intel TDX DCAP Quote Generation and Quote Verification Library,
// Appendix A.3 (quote version 4) and A.4 (version 5); Intel SGX PCK Certificate
// and CRL Profile; Intel SGX and TDX Provisioning Certification Service API
// version 4; Intel TDX Module 1.5 ABI.
package tdx
