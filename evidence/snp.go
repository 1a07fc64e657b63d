package evidence

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/attestctl/attestctl/evidence/snp"
	"github.com/attestctl/attestctl/internal/hint"
)

// snpEvidence is an SEV-SNP report with the certificates that came with it.
type snpEvidence struct {
	report  *snp.Report
	key     []byte   // DER of the VCEK or VLEK; nil if none came
	carried [][]byte // DER of ASK, ASVK and ARK, which are compared only
}

// snpFindings is what a verified report rests on.
type snpFindings struct {
	cert       *snp.Certificate
	chain      snp.Chain
	revocation snp.Revocation
}

// snpChecks are the checks of an SEV-SNP report.
var snpChecks = []string{"snp.report", "snp.chain", "snp.signature", "snp.tcb", "snp.policy", "snp.vmpl", "snp.revocation"}

// checkSNP verifies an SEV-SNP report. The floors hold whatever the policy says.
func (s *verification) checkSNP() {
	r := s.hw.snp.report
	s.record("snp.report", fmt.Sprintf("version %d, signed by a %v", r.Version, r.KeyInfo.SigningKey), checkSNPReport(r))
	s.record("snp.policy", "no debugging, no migration agent", s.checkSNPPolicy(r.Policy))
	s.record("snp.vmpl", fmt.Sprintf("%d", r.VMPL), s.checkVMPL(r.VMPL))
	cert, err := s.snpKey()
	if err != nil {
		s.record("snp.chain", "", err)
		s.notRun("the key that signs the report is not known", "snp.signature", "snp.tcb", "snp.revocation")
		return
	}
	chain, err := s.snpChain(cert)
	trusted := s.record("snp.chain", chainDetail(chain), err)
	signed := s.record("snp.signature", "ECDSA P-384", r.VerifySignature(cert))
	fits := s.record("snp.tcb", cert.TCB.String(), r.Matches(cert))
	if !trusted {
		s.notRun("the chain is not trusted", "snp.revocation")
		return
	}
	revocation, ok := s.checkRevocation(chain)
	if signed && fits && ok {
		s.found.snp = &snpFindings{cert, chain, revocation}
	}
}

// checkSNPReport refuses a report that no key vouches for.
func checkSNPReport(r *snp.Report) error {
	if k := r.KeyInfo.SigningKey; k != snp.VCEK && k != snp.VLEK {
		return fmt.Errorf("the signing key is %v: nobody signed this report", k)
	}
	if _, ok := r.Product(); r.HasCPUID() && !ok {
		return fmt.Errorf("the processor (family 0x%02x, model 0x%02x) is of no known product", r.CPUID.Family, r.CPUID.Model)
	}
	return nil
}

// checkSNPPolicy holds the floors of the guest policy (AMD 56860, guest policy).
func (s *verification) checkSNPPolicy(p snp.Policy) error {
	switch {
	case p.Debug:
		return hint.New(errors.New("the guest policy allows debugging: the host can read the guest's memory"),
			"launch the guest without the debug policy")
	case p.MigrateMA && !s.want.InsecureMigrationAgent:
		return hint.New(errors.New("the guest policy allows a migration agent, which can move the guest's memory elsewhere"),
			"launch the guest without it; --insecure-migration-agent accepts it")
	}
	return nil
}

// checkVMPL compares the privilege level that the report was asked for at.
func (s *verification) checkVMPL(vmpl uint32) error {
	switch want := s.want.VMPL; {
	case vmpl == snp.HostVMPL:
		return errors.New("the hypervisor asked for this report, not the guest")
	case vmpl != want:
		return hint.New(fmt.Errorf("the report was asked for at VMPL %d, want %d", vmpl, want),
			"if the guest has an SVSM and reports from a lower level, say so with --vmpl")
	}
	return nil
}

// snpKey returns the certificate of the key that signs the report: the one in
// the evidence or, if there is none, the one that the user has for this chip.
func (s *verification) snpKey() (*snp.Certificate, error) {
	r := s.hw.snp.report
	if der := s.hw.snp.key; len(der) > 0 {
		return snp.ParseCertificate(der)
	}
	for _, c := range s.trust.amdKeys {
		if c.Key == r.KeyInfo.SigningKey && r.Matches(c) == nil {
			return c, nil
		}
	}
	advice := "give the VLEK certificate with --snp-cert"
	if path, err := snp.VCEKFor(r, ""); err == nil {
		advice = "fetch https://kdsintf.amd.com" + path + " and give it with --snp-cert, or put it below amd/keys of the trust directory"
	}
	return nil, hint.New(fmt.Errorf("the evidence carries no %v certificate", r.KeyInfo.SigningKey), advice)
}

// snpChain verifies the key's certificate up to the trusted AMD root.
func (s *verification) snpChain(cert *snp.Certificate) (snp.Chain, error) {
	if s.want.Now.IsZero() {
		return snp.Chain{}, errNoTime
	}
	roots := s.trust.amd
	if roots == nil {
		roots = new(snp.Roots)
	}
	carried := make([]*x509.Certificate, 0, len(s.hw.snp.carried))
	for _, der := range s.hw.snp.carried {
		c, err := parseCertificateDER(der)
		if err != nil {
			return snp.Chain{}, fmt.Errorf("a certificate beside the key's: %w", err)
		}
		carried = append(carried, c)
	}
	if err := roots.CheckCarried(carried); err != nil {
		return snp.Chain{}, err
	}
	chain, err := roots.VerifyChain(cert, s.want.Now)
	if err == nil {
		s.rests(chain.NotAfter)
	}
	return chain, err
}

func chainDetail(c snp.Chain) string {
	if c.Root == nil {
		return ""
	}
	return fmt.Sprintf("%v of %s, up to %s", c.Key, c.Product, c.Root.Subject.CommonName)
}

// checkRevocation looks the keys up in the lists that the user gave.
func (s *verification) checkRevocation(chain snp.Chain) (snp.Revocation, bool) {
	status, detail, err := chain.Revoked(s.trust.amdCRLs, s.want.Now)
	switch {
	case err != nil:
		return status, s.record("snp.revocation", "", err)
	case status == snp.RevocationRevoked:
		return status, s.record("snp.revocation", "", errors.New(detail))
	case status == snp.RevocationUnchecked && s.want.MaxAge > 0:
		return status, s.record("snp.revocation", "", hint.New(errors.New("an age is asked for, and there is no CRL of "+chain.Root.Subject.CommonName), "give it with --crl"))
	case status == snp.RevocationUnchecked:
		s.skip("snp.revocation", "no CRL of "+chain.Root.Subject.CommonName+" given")
		return status, true
	}
	list := newestCRL(s.trust.amdCRLs, chain.Root)
	if err := s.stale("the revocation list", list.ThisUpdate); err != nil {
		return status, s.record("snp.revocation", "", err)
	}
	s.rests(list.NextUpdate)
	return status, s.record("snp.revocation", detail, nil)
}

// newestCRL returns the list of a root that lasts longest, of which there is one.
func newestCRL(crls []*x509.RevocationList, root *x509.Certificate) *x509.RevocationList {
	var newest *x509.RevocationList
	for _, list := range crls {
		if bytes.Equal(list.RawIssuer, root.RawSubject) && (newest == nil || list.NextUpdate.After(newest.NextUpdate)) {
			newest = list
		}
	}
	return newest
}
