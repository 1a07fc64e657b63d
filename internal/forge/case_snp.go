package forge

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-tpm-tools/proto/attest"
)

// snpFloorCases: what no policy can allow.
func snpFloorCases() []Case {
	const policy, vmpl = "snp.policy", "snp.vmpl"
	vmplOf := func(level uint32) func(*Machine) { return reportingSNP(func(s *SNP) { s.VMPL = level }) }
	guestPolicy := func(bits uint64) func(*Machine) {
		return reportingSNP(func(s *SNP) { s.Policy = DefaultGuestPolicy | bits })
	}
	signedBy := func(info uint32) func(*Machine) { return reportingSNP(func(s *SNP) { s.SignerInfo = &info }) }
	return inRow(31, "snp_debug_vmpl_ma_signer", policy, on(snpMachine(), []Case{
		{Name: "debug", edit: guestPolicy(PolicyDebug)},
		{Name: "migration_agent", edit: guestPolicy(PolicyMigrateMA)},
		{Name: "vmpl_1", Check: vmpl, edit: vmplOf(1)},
		{Name: "vmpl_2", Check: vmpl, edit: vmplOf(2)},
		{Name: "vmpl_3", Check: vmpl, edit: vmplOf(3)},
		{Name: "vmpl_of_the_host", Check: vmpl, edit: vmplOf(0xffffffff)},
		{Name: "no_signing_key", Check: "snp.report", Also: []string{"snp.chain"}, edit: signedBy(uint32(NoKey) << 2)},
		{Name: "reserved_signing_key", Check: "format.strict", edit: signedBy(3 << 2)},
		{Name: "vlek_claimed_vcek_carried", Check: "snp.chain", edit: signedBy(uint32(VLEK) << 2)},
		{Name: "unknown_processor", Check: "snp.report", Also: []string{"snp.tcb"}, edit: reportingSNP(func(s *SNP) {
			s.CPUID = &CPUID{Family: 0x1A, Model: 0x50}
		})},
	})...)
}

// carrying edits the certificates that come with the report.
func carrying(edit func(*sevsnp.CertificateChain)) func(*Machine) {
	return sending(func(a *attest.Attestation) { edit(a.GetSevSnpAttestation().GetCertificateChain()) })
}

// snpChainCases: only the trusted keys of the same product issue a VCEK.
func snpChainCases() []Case {
	foreign := func(s *SNP) { s.Vendor = ForeignVendor }
	expiring := func(edit func(*x509.Certificate)) func(*Machine) {
		return reportingSNP(func(s *SNP) {
			s.Edits.Certificate = func(c *x509.Certificate) error { edit(c); return nil }
		})
	}
	return inRow(32, "snp_chain_and_tcb", "snp.chain", on(snpMachine(), []Case{
		{Name: "forged_hierarchy", edit: reportingSNP(foreign)},
		{Name: "forged_vcek_alone", edit: func(m *Machine) {
			reportingSNP(foreign)(m)
			carrying(func(c *sevsnp.CertificateChain) { c.AskCert, c.ArkCert = nil, nil })(m)
		}},
		{Name: "forged_vcek_under_the_trusted_names", edit: func(m *Machine) {
			reportingSNP(foreign)(m)
			m.Edits.Attestation = withTrustedChain
		}},
		{Name: "forged_ark_beside_a_genuine_vcek", edit: func(m *Machine) { m.Edits.Attestation = withForeignARK }},
		{Name: "ask_as_leaf", edit: carrying(func(c *sevsnp.CertificateChain) { c.VcekCert = c.GetAskCert() })},
		{Name: "ark_as_leaf", edit: carrying(func(c *sevsnp.CertificateChain) { c.VcekCert = c.GetArkCert() })},
		{Name: "vcek_as_ask", edit: carrying(func(c *sevsnp.CertificateChain) { c.AskCert = c.GetVcekCert() })},
		{Name: "of_the_ask_of_another_product", edit: reportingSNP(func(s *SNP) { s.IssuedBy = Genoa })},
		{Name: "no_certificate", edit: carrying(func(c *sevsnp.CertificateChain) { c.VcekCert = nil })},
		{Name: "trailing_byte_in_the_vcek", edit: carrying(func(c *sevsnp.CertificateChain) { c.VcekCert = append(c.GetVcekCert(), 0) })},
		{Name: "expired", edit: expiring(func(c *x509.Certificate) { c.NotAfter = Now().Add(-time.Second) })},
		{Name: "not_valid_yet", edit: expiring(func(c *x509.Certificate) { c.NotBefore = Now().Add(time.Second) })},
		{Name: "nobody_trusted", trust: trusting(func(files map[string][]byte) error {
			for _, p := range Products() {
				for _, role := range []string{"ark_", "ask_", "asvk_"} {
					delete(files, "amd/roots/"+role+string(p)+".crt")
				}
			}
			return nil
		})},
	})...)
}

func withTrustedChain(a *attest.Attestation) error {
	trusted, err := NewAMD(ForgeVendor, Milan)
	if err != nil {
		return err
	}
	chain := a.GetSevSnpAttestation().GetCertificateChain()
	chain.AskCert, chain.ArkCert = trusted.ASK.Raw, trusted.ARK.Raw
	return nil
}

func withForeignARK(a *attest.Attestation) error {
	foreign, err := NewAMD(ForeignVendor, Milan)
	if err != nil {
		return err
	}
	a.GetSevSnpAttestation().GetCertificateChain().ArkCert = foreign.ARK.Raw
	return nil
}

// snpTCBCases: the certificate is that of the chip, the product and the TCB.
func snpTCBCases() []Case {
	lower := func(edit func(*SNPTCB)) func(*Machine) {
		return reportingSNP(func(s *SNP) {
			tcb := DefaultTCB(Milan)
			edit(&tcb)
			s.TCB = &tcb // of the report; the key is still that of the platform
			now := DefaultTCB(Milan)
			s.CertTCB, s.Current, s.Committed, s.Launch = &now, &now, &now, &now
		})
	}
	return inRow(32, "snp_chain_and_tcb", "snp.tcb", on(snpMachine(), []Case{
		{Name: "other_chip", edit: reportingSNP(func(s *SNP) { s.CertChip = "another" })},
		{Name: "other_product", edit: reportingSNP(func(s *SNP) { s.CertProduct = Genoa })},
		{Name: "lower_boot_loader", edit: lower(func(t *SNPTCB) { t.BootLoader-- })},
		{Name: "lower_snp", edit: lower(func(t *SNPTCB) { t.SNP-- })},
		{Name: "lower_microcode", edit: lower(func(t *SNPTCB) { t.Microcode-- })},
		{Name: "higher_tee", edit: lower(func(t *SNPTCB) { t.TEE++ })},
		{Name: "reserved_byte_in_the_launch_tcb", edit: reportingSNP(func(s *SNP) {
			s.Edits.Unsigned = func(b []byte) error { b[0x1F0+2] = 1; return nil }
		})},
		{Name: "fmc_on_milan", edit: reportingSNP(func(s *SNP) {
			// Turin's layout in a Milan's report: the levels land on other components.
			tcb := DefaultTCB(Turin)
			s.Edits.Unsigned = func(b []byte) error { le.PutUint64(b[0x180:], tcb.Raw(Turin)); return nil }
		})},
	})...)
}

// snpRevocationCases: a list that is there counts.
func snpRevocationCases() []Case {
	listed := func(mint func(*AMD) ([]byte, error)) func(*Evidence) error {
		return trusting(func(files map[string][]byte) error {
			a, err := NewAMD(ForgeVendor, Milan)
			if err != nil {
				return err
			}
			der, err := mint(a)
			files["amd/crls/milan.crl"] = der
			return err
		})
	}
	fresh := Now().AddDate(0, -1, 0)
	return inRow(32, "snp_chain_and_tcb", "snp.revocation", on(snpMachine(), []Case{
		{Name: "revoked_ask", trust: listed(func(a *AMD) ([]byte, error) { return a.CRL(fresh, a.ASK) })},
		{Name: "stale_crl", trust: listed(func(a *AMD) ([]byte, error) { return a.CRL(Now().AddDate(-1, 0, 0)) })},
		{Name: "crl_of_the_future", trust: listed(func(a *AMD) ([]byte, error) { return a.CRL(Now().Add(time.Hour)) })},
		{Name: "forged_crl", trust: listed(func(*AMD) ([]byte, error) {
			foreign, err := NewAMD(ForeignVendor, Milan)
			if err != nil {
				return nil, err
			}
			return foreign.CRL(fresh)
		})},
		{Name: "current_crl", Want: "accepted: tee.snp.revocation is good", trust: listed(func(a *AMD) ([]byte, error) { return a.CRL(fresh, a.ASVK) })},
	})...)
}

// snpGenuineCases have nothing wrong with them, and claims that policies need.
func snpGenuineCases() []Case {
	of := func(name, want string, edit func(*SNP)) Case {
		return Case{Name: name, Want: "accepted: " + want, edit: reportingSNP(edit)}
	}
	return inRow(32, "snp_chain_and_tcb", "", on(snpMachine(), []Case{
		of("vlek", "tee.snp.signing_key is VLEK", func(s *SNP) { s.Key = VLEK }),
		of("vlek_without_chip", "tee.snp.chip_id is masked", func(s *SNP) { s.Key, s.MaskChipID = VLEK, true }),
		of("masked_chip", "tee.snp.chip_id is masked", func(s *SNP) { s.MaskChipID = true }),
		of("genoa", "tee.snp.product is Genoa", func(s *SNP) { s.Product = Genoa }),
		of("turin", "tee.snp.product is Turin, with an fmc", func(s *SNP) { s.Product = Turin }),
		of("turin_vlek", "tee.snp.product is Turin", func(s *SNP) { s.Product, s.Key = Turin, VLEK }),
		of("version_2", "tee.snp.product is that of the certificate", func(s *SNP) { s.Version = 2 }),
		of("version_3", "tee.snp.report_version is 3", func(s *SNP) { s.Version = 3 }),
		of("version_4", "tee.snp.report_version is 4", func(s *SNP) { s.Version = 4 }),
		of("mitigations", "tee.snp.mitigation shows both vectors", func(s *SNP) { s.LaunchMitigations, s.CurrentMitigations = 1, 3 }),
		of("unknown_platform_bit", "tee.snp.platform_info shows the unknown bit", func(s *SNP) { s.PlatformInfo = 0x65 }),
		of("host_data", "tee.snp.host_data is shown", func(s *SNP) { s.HostData = [32]byte{1, 2, 3} }),
		of("provisional_firmware", "tee.snp.tcb.committed is below current", func(s *SNP) {
			tcb := DefaultTCB(Milan)
			tcb.SNP--
			s.Committed, s.TCB, s.CertTCB = &tcb, &tcb, &tcb
			now := DefaultTCB(Milan)
			s.Current, s.Launch = &now, &tcb
		}),
	})...)
}

// snpSignatureCases: any change after signing shows.
func snpSignatureCases() []Case {
	signed := func(edit func([]byte) error) func(*Machine) {
		return reportingSNP(func(s *SNP) { s.Edits.Signed = edit })
	}
	fill := func(at, n int, with byte) func([]byte) error {
		return func(b []byte) error {
			if at+n > len(b) {
				return errors.New("no such field")
			}
			for i := range n {
				b[at+i] = with
			}
			return nil
		}
	}
	const r, s, size = snpSignedSize, snpSignedSize + 72, 48
	return inRow(32, "snp_chain_and_tcb", "snp.signature", on(snpMachine(), []Case{
		{Name: "flipped_measurement", edit: signed(flipping(0x90))},
		{Name: "flipped_host_data", edit: signed(flipping(0xC0))},
		{Name: "flipped_signature", edit: signed(flipping(r))},
		{Name: "r_is_zero", edit: signed(fill(r, size, 0))},
		{Name: "s_is_zero", edit: signed(fill(s, size, 0))},
		{Name: "r_beyond_the_order", edit: signed(fill(r, size, 0xff))},
		{Name: "r_with_padding", edit: signed(fill(r+size, 1, 1))},
		{Name: "after_the_signature", Check: "format.strict", edit: signed(fill(s+72, 1, 1))},
		{Name: "other_algorithm", edit: reportingSNP(func(s *SNP) {
			s.Edits.Unsigned = func(b []byte) error { b[0x34] = 2; return nil }
		})},
	})...)
}
