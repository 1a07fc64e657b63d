package tdx_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tdx-guest/abi"
	"github.com/google/go-tdx-guest/pcs"
	oracletest "github.com/google/go-tdx-guest/testing"
	oracle "github.com/google/go-tdx-guest/verify"

	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/corpus"
)

// oracleOptions are what go-tdx-guest needs to judge as we do: everything on,
// collateral out of ours. Naming the roots also keeps it from writing a warning to
// standard output.
func oracleOptions(roots *x509.CertPool, c *tdx.Collateral, fmspc string, at time.Time) *oracle.Options {
	o := &oracle.Options{
		TrustedRoots: roots,
		Now:          &oracle.TimeSet{PckCertChain: at, TcbInfo: at, QeIdentity: at, PckCrl: at, RootCaCrl: at},
	}
	if c == nil {
		return o
	}
	header := func(name string, chain []byte) map[string][]string {
		return map[string][]string{name: {url.QueryEscape(string(chain))}}
	}
	o.GetCollateral, o.CheckRevocations = true, true
	o.Getter = &oracletest.Getter{Responses: map[string]oracletest.HTTPResponse{
		pcs.TdxBaseURL + "/qe/identity":                                     {Header: header(pcs.SgxQeIdentityIssuerChainPhrase, c.QEIdentityChain), Body: c.QEIdentity},
		pcs.TdxBaseURL + "/tcb?fmspc=" + fmspc:                              {Header: header(pcs.TcbInfoIssuerChainPhrase, c.TCBInfoChain), Body: c.TCBInfo},
		pcs.SgxBaseURL + "/pckcrl?ca=platform&encoding=der":                 {Header: header(pcs.SgxPckCrlIssuerChainPhrase, c.PCKCRLChain), Body: c.PCKCRL},
		"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der": {Body: c.RootCRL},
	}}
	return o
}

// Without collateral go-tdx-guest accepts what we accept.
func TestOracleQuotes(t *testing.T) {
	for _, g := range genuineQuotes(t) {
		err := oracle.RawTdxQuote(g.raw, oracleOptions(intelPool(t), nil, "", chainTime))
		if want := g.version == 5; (err != nil) != want { // it does not know version 5
			t.Errorf("%s: go-tdx-guest says %v, we accept", g.name, err)
		}
		if g.version == 5 {
			continue
		}
		flipped := slices.Clone(g.raw)
		flipped[100] ^= 1
		if err := oracle.RawTdxQuote(flipped, oracleOptions(intelPool(t), nil, "", chainTime)); err == nil || accept(flipped, intelRoots(t), chainTime) == nil {
			t.Errorf("%s with a flipped bit is accepted, go-tdx-guest says %v", g.name, err)
		}
	}
}

// With collateral go-tdx-guest accepts exactly what we call UpToDate, but for the
// listed differences.
func TestOracleCollateral(t *testing.T) {
	all := genuineCollateral(t)
	for _, tc := range genuineVerdicts {
		t.Run(tc.quote+" "+tc.collateral, func(t *testing.T) {
			c, raw := all[tc.collateral], genuineQuote(t, tc.quote)
			info, err := tdx.ParseTCBInfo(c.TCBInfo)
			if err != nil {
				t.Fatal(err)
			}
			err = oracle.RawTdxQuote(raw, oracleOptions(intelPool(t), c.Collateral, hex.EncodeToString(info.FMSPC[:]), c.at))
			same := (err == nil) == (tc.want[0] == tdx.UpToDate)
			if same == (tc.differs != "") {
				t.Errorf("go-tdx-guest says %v, we say %q %s; known difference: %q", err, tc.want[0], tc.err, tc.differs)
			}
		})
	}
}

// The fields of version 4 are those that go-tdx-guest reads.
func TestOracleFields(t *testing.T) {
	for _, g := range genuineQuotes(t) {
		if g.version != 4 {
			continue
		}
		q, err := tdx.ParseQuote(g.raw)
		if err != nil {
			t.Fatal(err)
		}
		message, err := abi.QuoteToProto(g.raw)
		if err != nil {
			t.Fatal(err)
		}
		again, err := abi.QuoteToAbiBytes(message)
		if err != nil || !bytes.Equal(again, q.Append(nil)) {
			t.Errorf("%s: go-tdx-guest encodes something else: %v", g.name, err)
		}
		chain, err := oracle.ExtractChainFromQuote(message)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pcs.PckCertificateExtensions(chain.PCKCertificate)
		if err != nil {
			t.Fatal(err)
		}
		pck, err := intelRoots(t).VerifyPCK(q, chainTime)
		if err != nil {
			t.Fatal(err)
		}
		got := pcs.PckExtensions{
			PPID: hex.EncodeToString(pck.PPID[:]), PCEID: hex.EncodeToString(pck.PCEID[:]), FMSPC: hex.EncodeToString(pck.FMSPC[:]),
			TCB: pcs.PckCertTCB{PCESvn: pck.PCESVN, CPUSvn: pck.CPUSVN[:], CPUSvnComponents: pck.TCBComponents[:]},
		}
		if got.PPID != want.PPID || got.PCEID != want.PCEID || got.FMSPC != want.FMSPC || got.TCB.PCESvn != want.TCB.PCESvn ||
			!bytes.Equal(got.TCB.CPUSvn, want.TCB.CPUSvn) || !bytes.Equal(got.TCB.CPUSvnComponents, want.TCB.CPUSvnComponents) {
			t.Errorf("%s: extension is %+v, go-tdx-guest reads %+v", g.name, got, want)
		}
	}
}

// Where go-tdx-guest panics, we say what is wrong.
func TestOraclePanics(t *testing.T) {
	raw := newMint(t).quote(t, nil, nil)
	sig, auth := slices.Clone(raw), slices.Clone(raw)
	binary.LittleEndian.PutUint32(sig[offSigSize:], 16)
	binary.LittleEndian.PutUint16(auth[offAuthSize:], 0xffff)
	for name, in := range map[string][]byte{"signature data of 16 bytes": sig, "auth data of 65535 bytes": auth} {
		if !panics(func() { _, _ = abi.QuoteToProto(in) }) {
			t.Errorf("%s: go-tdx-guest no longer panics, so this is no difference", name)
		}
		if _, err := tdx.ParseQuote(in); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// oracleOfMint is go-tdx-guest's word on a minted quote with minted collateral.
func oracleOfMint(tb testing.TB, m *mint, raw []byte, c *tdx.Collateral) error {
	tb.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(m.root.cert)
	d := *c
	d.PCKCRLChain = pemChain(m.platform.cert, m.root.cert)
	o := oracleOptions(pool, &d, hex.EncodeToString(m.ext.FMSPC[:]), mintTime)
	return oracle.RawTdxQuote(raw, o)
}

// What we refuse or judge otherwise on purpose.
func TestOracleDifferences(t *testing.T) {
	m := newMint(t)
	oldModule := func(q *tdx.Quote) { q.TeeTCBSVN = [16]byte{3, 0, 5} }
	revokedPlatform := m.collateral(t)
	revokedPlatform.TCBInfo = m.sign(t, "tcbInfo", edited(m.tcbInfo(), func(d doc) { levelOf(d)["tcbStatus"] = "Revoked" }))
	expired := edited(m.tcbInfo(), func(d doc) { d["nextUpdate"] = "2026-02-28T13:00:00Z" })
	confused := m.collateral(t)
	confused.TCBInfo = m.confuse(t, expired, m.tcbInfo())
	t.Run("a module of version 1 hides a revoked platform", func(t *testing.T) {
		raw := m.quote(t, v15, nil)
		q, pck := m.verified(t, v15)
		s, err := revokedPlatform.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
		if err != nil || s.TCBStatus != tdx.Revoked || s.ModuleStatus != tdx.UpToDate {
			t.Errorf("Evaluate = %+v, %v, want Revoked", s, err)
		}
		if err := oracleOfMint(t, m, raw, revokedPlatform); err != nil {
			t.Errorf("go-tdx-guest no longer accepts it, so this is no difference: %v", err)
		}
	})
	t.Run("case confusion", func(t *testing.T) {
		q, pck := m.verified(t, oldModule)
		_, err := confused.Evaluate(q, pck, m.roots(), mintTime, tdx.Options{})
		checkErr(t, "Evaluate", err, "members")
		if err := oracleOfMint(t, m, m.quote(t, oldModule, nil), confused); err != nil {
			t.Errorf("go-tdx-guest no longer accepts it, so this is no difference: %v", err)
		}
	})
	t.Run("processor ca", func(t *testing.T) {
		m := newMint(t)
		m.issuePCK(t, m.processor, nil)
		raw := m.quote(t, nil, nil)
		checkErr(t, "accept", accept(raw, m.roots(), mintTime), "")
		pool := x509.NewCertPool()
		pool.AddCert(m.root.cert)
		err := oracle.RawTdxQuote(raw, oracleOptions(pool, nil, "", mintTime))
		if err == nil || !strings.Contains(err.Error(), "Processor CA") && !strings.Contains(err.Error(), "Platform CA") {
			t.Errorf("go-tdx-guest says %v, want an error on the ca's name", err)
		}
	})
}

// confuse signs one TCB info and puts another beside it, under a name that
// differs in case.
func (m *mint) confuse(tb testing.TB, signed, forged doc) []byte {
	tb.Helper()
	good := m.sign(tb, "tcbInfo", signed)
	bad := bytes.Replace(m.sign(tb, "TCBINFO", forged), []byte("{"), []byte(","), 1)
	bad = bad[:bytes.Index(bad, []byte(`,"signature"`))]
	return append(append(slices.Clone(good[:len(good)-1]), bad...), '}')
}

// edited applies changes to a document.
func edited(d doc, edit func(doc)) doc {
	edit(d)
	return d
}

// intelPool is Intel's root for go-tdx-guest.
func intelPool(tb testing.TB) *x509.CertPool {
	tb.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(certificate(tb, corpus.Read(tb, "g-certs/intel_sgx_root_ca.pem")))
	return pool
}
