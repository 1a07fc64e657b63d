// Package snp decodes and verifies AMD SEV-SNP attestation reports.
//
// The report and the extended report's certificate table are those of the
// SEV-SNP Firmware ABI Specification (AMD 56860) and of the Guest-Hypervisor
// Communication Block (AMD 56421); the certificates and revocation lists are
// those of the Key Distribution Service (AMD 57230).
//
// A caller decodes with [ParseReport] and [ParseCertificate], both strict, then
// calls [Report.Matches], [Report.VerifySignature] and [Roots.VerifyChain]. All
// three must succeed; none of them includes another. What a decoder returns is
// not trusted until then. Keys come from [Roots], which the caller builds; an
// ASK or ARK that came with the evidence is only compared with them.
//
// Nothing here reads a clock, a file or the network.
package snp
