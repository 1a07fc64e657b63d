package evidence

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/snp"
)

// knownBreaks names what is publicly known of a product's keys and no patch
// level undoes.
var knownBreaks = map[snp.Product][]string{
	snp.Milan: {"milan-vcek-seed"}, // the seed of VCEKs can be extracted by software (2026)
}

// snpClaims publishes a verified SEV-SNP report.
func (s *verification) snpClaims() *claims.SNP {
	f, r := s.found.snp, s.hw.snp.report
	product := f.cert.Product
	c := &claims.SNP{
		ReportVersion:    int(r.Version),
		Product:          string(product),
		Policy:           snpPolicyClaims(r.Policy),
		VMPL:             int(r.VMPL),
		SigningKey:       r.KeyInfo.SigningKey.String(),
		ChipKeyMasked:    r.KeyInfo.MaskChipKey,
		AuthorKeyEnabled: r.KeyInfo.AuthorKeyEnabled,
		Measurement:      hex.EncodeToString(r.Measurement[:]),
		HostData:         hex.EncodeToString(r.HostData[:]),
		ReportData:       hex.EncodeToString(r.ReportData[:]),
		IDKeyDigest:      hex.EncodeToString(r.IDKeyDigest[:]),
		AuthorKeyDigest:  hex.EncodeToString(r.AuthorKeyDigest[:]),
		FamilyID:         hex.EncodeToString(r.FamilyID[:]),
		ImageID:          hex.EncodeToString(r.ImageID[:]),
		GuestSVN:         int64(r.GuestSVN),
		ReportID:         hex.EncodeToString(r.ReportID[:]),
		ReportIDMA:       hex.EncodeToString(r.ReportIDMA[:]),
		TCB: claims.SNPTCB{
			Reported: tcbClaims(r.ReportedTCB, product), Current: tcbClaims(r.CurrentTCB, product),
			Committed: tcbClaims(r.CommittedTCB, product), Launch: tcbClaims(r.LaunchTCB, product),
			Certificate: tcbClaims(f.cert.TCB.Raw(), product),
		},
		Provisional: r.CommittedTCB != r.CurrentTCB || r.Committed != r.Current,
		Firmware:    claims.SNPFirmware{Current: r.Current.String(), Committed: r.Committed.String()},
		Platform:    snpPlatformClaims(r.PlatformInfo),
		Certificate: claims.SNPCertificate{
			SHA256: hexSHA256(f.chain.Leaf.Raw), Serial: f.chain.Leaf.SerialNumber.String(),
			NotBefore: f.chain.Leaf.NotBefore.Unix(), NotAfter: f.chain.Leaf.NotAfter.Unix(),
			RootSHA256: hexSHA256(f.chain.Root.Raw), CSPID: f.cert.CSPID,
		},
		Revocation:  "unchecked",
		KnownBreaks: knownBreaks[product],
	}
	if f.revocation == snp.RevocationGood {
		c.Revocation = "checked"
	}
	if r.HasCPUID() {
		c.CPUID = &claims.CPUID{Family: int(r.CPUID.Family), Model: int(r.CPUID.Model), Stepping: int(r.CPUID.Stepping)}
	}
	if r.HasMitigations() {
		c.Mitigation = &claims.SNPMitigation{Launch: hex64(r.LaunchMitigations), Current: hex64(r.CurrentMitigations)}
	}
	if !r.ChipIDMasked() {
		c.ChipID = hex.EncodeToString(r.ChipID[:])
	}
	return c
}

func hex64(n uint64) string { return fmt.Sprintf("%016x", n) }

func snpPolicyClaims(p snp.Policy) claims.SNPPolicy {
	return claims.SNPPolicy{
		ABI: strconv.Itoa(int(p.ABIMajor)) + "." + strconv.Itoa(int(p.ABIMinor)),
		SMT: p.SMT, MigrateMA: p.MigrateMA, Debug: p.Debug, SingleSocket: p.SingleSocket, CXL: p.CXL,
		MemAES256XTS: p.MemAES256XTS, RAPLDisable: p.RAPLDisable, CiphertextHiding: p.CiphertextHiding,
		PageSwapDisable: p.PageSwapDisable,
	}
}

func snpPlatformClaims(p snp.PlatformInfo) claims.SNPPlatform {
	c := claims.SNPPlatform{
		SMT: p.SMT, TSME: p.TSME, ECC: p.ECC, RAPLDisabled: p.RAPLDisabled, CiphertextHiding: p.CiphertextHiding,
		AliasCheck: p.AliasCheck, TIO: p.TIO,
	}
	if p.UnknownBits != 0 {
		c.UnknownBits = hex64(p.UnknownBits)
	}
	return c
}

// tcbClaims names the parts of a TCB. Matches has decoded all of a report's.
func tcbClaims(raw snp.RawTCB, product snp.Product) claims.TCB {
	tcb, err := raw.Decode(product)
	if err != nil {
		panic(err) // which refuses the evidence: see guard
	}
	c := claims.TCB{BootLoader: int(tcb.BootLoader), TEE: int(tcb.TEE), SNP: int(tcb.SNP), Microcode: int(tcb.Microcode)}
	if product == snp.Turin {
		fmc := int(tcb.FMC)
		c.FMC = &fmc
	}
	return c
}
