package snp_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	//nolint:depguard // the oracle of these tests
	"github.com/google/go-sev-guest/abi"
	//nolint:depguard // the oracle of these tests
	"github.com/google/go-sev-guest/kds"
	//nolint:depguard // the oracle of these tests
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	//nolint:depguard // the oracle of these tests
	"github.com/google/go-sev-guest/verify"
	//nolint:depguard // the oracle of these tests
	"github.com/google/go-sev-guest/verify/trust"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/snp"
)

// go-sev-guest is the oracle. Where the two differ on purpose:
//
//   - It knows neither Turin's certificates nor Bergamo and Siena (issue 165,
//     and an error for CPUID model 0xA0). Here both verify.
//   - It reads a TCB as Milan's whatever the product.
//   - ReportToProto takes any version, and the mitigation vectors' bytes before
//     version 5, which are reserved then. Here both are refused.
//   - It ignores the signature area's tail unless the algorithm is 1.
//   - It sees bit 6 of PLATFORM_INFO as reserved only when asked.

// oracleFails lists the genuine reports that go-sev-guest does not verify, with
// what it says.
var oracleFails = map[string]string{
	"oak-turin-oc-report.bin": "not an AMD KDS OID: 1.3.6.1.4.1.3704.1.3.9",
	"lunal-genoa-v5.bin":      "",
}

func TestOracleFields(t *testing.T) {
	for _, it := range items {
		r, _ := it.parse(t)
		p, err := abi.ReportToProto(it.raw(t))
		if err != nil {
			t.Fatalf("%s: %v", it.report, err)
		}
		fms := uint32(0)
		if r.HasCPUID() {
			fms = abi.FmsToCpuid1Eax(r.CPUID.Family, r.CPUID.Model, r.CPUID.Stepping)
		}
		ours := &spb.Report{
			Version: r.Version, GuestSvn: r.GuestSVN, Policy: r.Policy.Bits(), FamilyId: r.FamilyID[:], ImageId: r.ImageID[:],
			Vmpl: r.VMPL, SignatureAlgo: r.SignatureAlgorithm, CurrentTcb: uint64(r.CurrentTCB), PlatformInfo: r.PlatformInfo.Bits(),
			SignerInfo: abi.ComposeSignerInfo(abi.SignerInfo{
				SigningKey: abi.ReportSigner(r.KeyInfo.SigningKey), MaskChipKey: r.KeyInfo.MaskChipKey, AuthorKeyEn: r.KeyInfo.AuthorKeyEnabled,
			}),
			ReportData: r.ReportData[:], Measurement: r.Measurement[:], HostData: r.HostData[:], IdKeyDigest: r.IDKeyDigest[:],
			AuthorKeyDigest: r.AuthorKeyDigest[:], ReportId: r.ReportID[:], ReportIdMa: r.ReportIDMA[:],
			ReportedTcb: uint64(r.ReportedTCB), ChipId: r.ChipID[:], CommittedTcb: uint64(r.CommittedTCB),
			CurrentBuild: uint32(r.Current.Build), CurrentMinor: uint32(r.Current.Minor), CurrentMajor: uint32(r.Current.Major),
			CommittedBuild: uint32(r.Committed.Build), CommittedMinor: uint32(r.Committed.Minor), CommittedMajor: uint32(r.Committed.Major),
			LaunchTcb: uint64(r.LaunchTCB), Signature: encode(t, r)[0x2A0:], Cpuid1EaxFms: fms,
			LaunchMitVector: r.LaunchMitigations, CurrentMitVector: r.CurrentMitigations,
		}
		if !proto.Equal(ours, p) {
			t.Errorf("%s:\n%v\ngo-sev-guest says\n%v", it.report, ours, p)
		}
	}
}

func TestOracleBitFields(t *testing.T) {
	for bit := range 64 {
		raw := encode(t, newReport(mintMilan))
		raw[0x08+bit/8] ^= 1 << (bit % 8)
		raw[0x40+bit/8] ^= 1 << (bit % 8)
		r, err := snp.ParseReport(raw)
		theirs, oracleErr := abi.ReportToProto(raw)
		if (err == nil) != (oracleErr == nil) {
			t.Errorf("bit %d: %v, go-sev-guest says %v", bit, err, oracleErr)
		}
		if err != nil || oracleErr != nil {
			continue
		}
		g, err := abi.ParseSnpPolicy(theirs.GetPolicy())
		if err != nil {
			t.Fatal(err)
		}
		p := r.Policy
		if want := (snp.Policy{
			ABIMajor: g.ABIMajor, ABIMinor: g.ABIMinor, SMT: g.SMT, MigrateMA: g.MigrateMA, Debug: g.Debug, SingleSocket: g.SingleSocket,
			CXL: g.CXLAllowed, MemAES256XTS: g.MemAES256XTS, RAPLDisable: g.RAPLDis, CiphertextHiding: g.CipherTextHidingDRAM, PageSwapDisable: g.PageSwapDisable,
		}); p != want {
			t.Errorf("bit %d: policy %+v, go-sev-guest says %+v", bit, p, want)
		}
		info, err := abi.ParseSnpPlatformInfo(r.PlatformInfo.Bits() &^ r.PlatformInfo.UnknownBits)
		if err != nil {
			t.Errorf("go-sev-guest refuses the known bits of 0x%x: %v", r.PlatformInfo.Bits(), err)
		}
		known := r.PlatformInfo
		known.UnknownBits = 0
		if want := (snp.PlatformInfo{
			SMT: info.SMTEnabled, TSME: info.TSMEEnabled, ECC: info.ECCEnabled, RAPLDisabled: info.RAPLDisabled,
			CiphertextHiding: info.CiphertextHidingDRAMEnabled, AliasCheck: info.AliasCheckComplete, TIO: info.TIOEnabled,
		}); known != want {
			t.Errorf("bit %d: platform info %+v, go-sev-guest says %+v", bit, known, want)
		}
	}
}

// TestOracleAcceptance flips every bit of a genuine report of each version:
// what we accept go-sev-guest accepts too, and what only it accepts is listed.
func TestOracleAcceptance(t *testing.T) {
	for _, i := range []int{0, 5, 8} { // versions 2, 3 and 5
		raw := items[i].raw(t)
		for bit := range len(raw) * 8 {
			raw[bit/8] ^= 1 << (bit % 8)
			r, err := snp.ParseReport(raw)
			_, oracleErr := abi.ReportToProto(raw)
			off := bit / 8
			theirsOnly := off < 4 || // the version
				off >= 0x1F8 && off < 0x208 && raw[0] < 5 || // mitigation vectors
				off >= 0x330 && raw[0x34] != 1
			if r != nil && oracleErr != nil || err != nil && oracleErr == nil && !theirsOnly {
				t.Errorf("%s, byte 0x%03x bit %d: %v, go-sev-guest says %v", items[i].report, off, bit%8, err, oracleErr)
			}
			raw[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestOracleTCBAndURL(t *testing.T) {
	for _, it := range items {
		r, c := it.parse(t)
		if it.product == snp.Turin || it.key == snp.VLEK {
			continue
		}
		p := kds.DecomposeTCBVersion(kds.TCBVersion(r.ReportedTCB))
		if want := (snp.TCB{Product: it.product, BootLoader: p.BlSpl, TEE: p.TeeSpl, SNP: p.SnpSpl, Microcode: p.UcodeSpl}); c.TCB != want {
			t.Errorf("%s: %+v, go-sev-guest says %+v", it.report, c.TCB, want)
		}
		want := kds.VCEKCertURL(string(it.product), r.ChipID[:], kds.TCBVersion(r.ReportedTCB))
		if got, err := snp.VCEKFor(r, it.product); err != nil || "https://kdsintf.amd.com"+got != want {
			t.Errorf("%s: VCEKFor = %q, %v, go-sev-guest says %q", it.report, got, err, want)
		}
		exts, err := kds.VcekCertificateExtensions(c.X509)
		if err != nil || exts.ProductName != c.ProductName || !bytes.Equal(exts.HWID, c.HWID) || snp.RawTCB(exts.TCBVersion) != c.TCB.Raw() {
			t.Errorf("%s: %+v, go-sev-guest says %+v, %v", it.cert, c, exts, err)
		}
	}
}

func oracleRoots(tb testing.TB) map[string][]*trust.AMDRootCerts {
	tb.Helper()
	roots := map[string][]*trust.AMDRootCerts{}
	for _, p := range []string{"Milan", "Genoa", "Turin"} {
		both := trust.AMDRootCertsProduct(p)
		both.ProductCerts = &trust.ProductCerts{}
		for _, c := range rootCerts(tb) {
			switch c.Subject.CommonName {
			case "ARK-" + p:
				both.ProductCerts.Ark = c
			case "SEV-" + p:
				both.ProductCerts.Ask = c
			case "SEV-VLEK-" + p:
				both.ProductCerts.Asvk = c
			}
		}
		roots[p] = append(roots[p], both)
	}
	return roots
}

func oracleVerify(raw []byte, c *snp.Certificate, roots map[string][]*trust.AMDRootCerts, at time.Time) (err error) {
	p, err := abi.ReportToProto(raw)
	if err != nil {
		return err
	}
	chain := &spb.CertificateChain{VcekCert: c.X509.Raw}
	if c.Key == snp.VLEK {
		chain = &spb.CertificateChain{VlekCert: c.X509.Raw}
	}
	return verify.SnpAttestation(&spb.Attestation{Report: p, CertificateChain: chain},
		&verify.Options{DisableCertFetching: true, TrustedRoots: roots, Now: at})
}

func TestOracleVerify(t *testing.T) {
	roots := oracleRoots(t)
	for _, it := range items {
		_, c := it.parse(t)
		err := oracleVerify(it.raw(t), c, roots, middle(c.X509))
		text, fails := oracleFails[it.report]
		if fails != (err != nil) || fails && !strings.Contains(err.Error(), text) {
			t.Errorf("%s: go-sev-guest says %v; the list of differences says %q, %v", it.report, err, text, fails)
		}
	}
}

// TestOracleVerifyChanged gives both a report with one bit changed in each
// 8-byte word, signed part and signature: both must refuse.
func TestOracleVerifyChanged(t *testing.T) {
	raw := items[5].raw(t)
	_, c := items[5].parse(t)
	theirs := oracleRoots(t)
	for off := 0; off < 0x330; off += 8 {
		raw[off] ^= 0x10
		if err := verifyAll(raw, c, nil); err == nil {
			t.Errorf("byte 0x%03x changed, and it verifies", off)
		}
		if err := oracleVerify(raw, c, theirs, middle(c.X509)); err == nil {
			t.Errorf("byte 0x%03x changed, and go-sev-guest verifies it", off)
		}
		raw[off] ^= 0x10
	}
	if err := verifyAll(raw, c, nil); err != nil {
		t.Errorf("the report unchanged: %v", err)
	}
}

// verifyAll is what a caller does: all checks, with the chain where there are
// roots.
func verifyAll(raw []byte, c *snp.Certificate, roots *snp.Roots) error {
	r, err := snp.ParseReport(raw)
	if err != nil {
		return err
	}
	if roots != nil {
		if _, err := roots.VerifyChain(c, middle(c.X509)); err != nil {
			return err
		}
	}
	if err := r.Matches(c); err != nil {
		return err
	}
	return r.VerifySignature(c)
}

func TestOracleRootsAreOurs(t *testing.T) {
	roots := genuineRoots(t)
	for _, data := range [][]byte{
		trust.AskArkMilanVcekBytes, trust.AskArkMilanVlekBytes, trust.AskArkGenoaVcekBytes,
		trust.AskArkGenoaVlekBytes, trust.AskArkTurinVcekBytes, trust.AskArkTurinVlekBytes,
	} {
		if err := roots.CheckCarried(pemCerts(t, data)); err != nil {
			t.Error(err)
		}
	}
}

func TestOracleTable(t *testing.T) {
	raw := read(t, "veraison-auxblob.bin")
	ours, err := snp.ParseCertTable(raw)
	if err != nil {
		t.Fatal(err)
	}
	var theirs abi.CertTable
	if err := theirs.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	if len(ours.Entries) != len(theirs.Entries) {
		t.Fatalf("%d entries, go-sev-guest says %d", len(ours.Entries), len(theirs.Entries))
	}
	for i, e := range theirs.Entries {
		if ours.Entries[i].GUID != snp.GUID(e.GUID) || ours.Entries[i].GUID.String() != e.GUID.String() || !bytes.Equal(ours.Entries[i].Data, e.RawCert) {
			t.Errorf("entry %d: %s, go-sev-guest says %s", i, ours.Entries[i].GUID, e.GUID)
		}
	}
}

// TestForgedChain is the chain that go-sev-guest before 0.15 took from the
// evidence: every signature in it is right, and no key is AMD's.
func TestForgedChain(t *testing.T) {
	var a spb.Attestation
	if err := proto.Unmarshal(read(t, "forged-chain.pb"), &a); err != nil {
		t.Fatal(err)
	}
	raw, err := abi.ReportToAbiBytes(a.GetReport())
	if err != nil {
		t.Fatal(err)
	}
	r, err := snp.ParseReport(raw)
	if err != nil {
		t.Fatal(err)
	}
	var carried []*x509.Certificate
	for _, blob := range [][]byte{a.GetCertificateChain().GetAskCert(), a.GetCertificateChain().GetArkCert()} {
		if block, _ := pem.Decode(blob); block != nil {
			blob = block.Bytes
		}
		c, err := x509.ParseCertificate(blob)
		if err != nil {
			t.Fatal(err)
		}
		carried = append(carried, c)
	}
	roots := genuineRoots(t)
	if err := roots.CheckCarried(carried); !errors.Is(err, snp.ErrForeignRoot) {
		t.Errorf("CheckCarried = %v, want ErrForeignRoot", err)
	}
	vcek, err := snp.CertificateDER(a.GetCertificateChain().GetVcekCert())
	if err != nil {
		t.Fatal(err)
	}
	c, err := snp.ParseCertificate(vcek)
	if err != nil {
		t.Fatalf("ParseCertificate: %v", err)
	}
	if err := r.VerifySignature(c); err != nil {
		t.Errorf("VerifySignature = %v, but the forger signed well", err)
	}
	if _, err := roots.VerifyChain(c, middle(c.X509)); !errors.Is(err, snp.ErrUntrusted) {
		t.Errorf("VerifyChain = %v, want ErrUntrusted", err)
	}
}
