package tdx_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// Offsets of a quote of version 4 (Appendix A.3).
const (
	offSigSize  = 48 + 584
	offCertType = offSigSize + 4 + 128
	offQEReport = offCertType + 6
	offAuthSize = offQEReport + 384 + 64
)

// chainOffset is where certification data type 5 begins in a v4 quote.
func chainOffset(raw []byte) int {
	return offAuthSize + 2 + int(binary.LittleEndian.Uint16(raw[offAuthSize:]))
}

// withChain replaces the chain of a v4 quote and mends the three lengths.
func withChain(raw, chain []byte) []byte {
	at := chainOffset(raw)
	out := append(slices.Clone(raw[:at+6]), chain...)
	binary.LittleEndian.PutUint32(out[at+2:], uint32(len(chain)))
	binary.LittleEndian.PutUint32(out[offCertType+2:], uint32(len(out)-offQEReport))
	binary.LittleEndian.PutUint32(out[offSigSize:], uint32(len(out)-offSigSize-4))
	return out
}

func put16(at int, v uint16) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

func TestParseQuoteMinted(t *testing.T) {
	m := newMint(t)
	for _, tc := range []struct {
		name string
		edit func(*tdx.Quote)
	}{
		{"v4", nil},
		{"v5", v5},
		{"v5 with a TDX 1.0 body", func(q *tdx.Quote) { q.Version = 5 }},
		{"padded", func(q *tdx.Quote) { q.Padding, q.ChainPadding = 3000, 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw := m.quote(t, tc.edit, nil)
			q, err := tdx.ParseQuote(raw)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(q.Append(nil), raw) {
				t.Error("Append does not give the input back")
			}
			if err := q.VerifySignature(); err != nil {
				t.Errorf("VerifySignature: %v", err)
			}
			pck, err := m.roots().VerifyPCK(q, mintTime)
			if err != nil {
				t.Fatal(err)
			}
			if pck.FMSPC != m.ext.FMSPC || pck.PCESVN != 11 || pck.TCBComponents != m.ext.TCBComponents || pck.PPID != m.ext.PPID || pck.CPUSVN != m.ext.CPUSVN {
				t.Errorf("PCK = %+v, want %+v", pck.SGXExtension, m.ext)
			}
		})
	}
}

func TestParseQuoteRefuses(t *testing.T) {
	m := newMint(t)
	valid := m.quote(t, nil, nil)
	at := chainOffset(valid)
	chain := valid[at+6:]
	edited := func(f func([]byte) []byte) []byte { return f(slices.Clone(valid)) }
	rechained := func(c []byte) []byte { return withChain(valid, c) }
	for _, tc := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "need 2 bytes"},
		{"too large", make([]byte, tdx.MaxQuote+1), "at most"},
		{"version 3", edited(put16(0, 3)), "version is 3"},
		{"version 5 around v4", edited(put16(0, 5)), "body of 5 bytes, want 648"},
		{"key type", edited(put16(2, 3)), "attestation key type is 3"},
		{"sgx", edited(put32(4, 0)), "tee type is 0x0"},
		{"vendor", edited(put16(12, 0)), "vendor"},
		{"cut", valid[:len(valid)-1], "have"},
		{"cut in the body", valid[:300], "need"},
		{"signature data of 16 bytes", edited(put32(offSigSize, 16)), ""},
		{"signature data of 2^32-1 bytes", edited(put32(offSigSize, 1<<32-1)), "signature data of 4294967295 bytes"},
		{"certification data type", edited(put16(offCertType, 5)), "certification data type is 5"},
		{"certification data one short", edited(put32(offCertType+2, uint32(len(valid)-offQEReport-1))), "certification data says"},
		{"auth data of 65535 bytes", edited(put16(offAuthSize, 0xffff)), "need 65535 bytes"},
		{"nested type", edited(put16(at, 1)), "is 1, want 5"},
		{"nested size", edited(put32(at+2, 1<<31)), "certificate chain says"},
		{"reserved bytes after miscselect", edited(put16(offQEReport+46, 256)), "reserved bytes of the qe report after miscselect"},
		{"reserved bytes after mrenclave", edited(put16(offQEReport+96, 1)), "reserved bytes of the qe report after mrenclave"},
		{"reserved bytes after mrsigner", edited(put16(offQEReport+160, 1)), "reserved bytes of the qe report after mrsigner"},
		{"reserved bytes after isvsvn", edited(put16(offQEReport+318, 256)), "reserved bytes of the qe report after isvsvn"},
		{"trailing byte", append(slices.Clone(valid), 1), "padding"},
		{"zeros, then a byte", append(append(slices.Clone(valid), make([]byte, 99)...), 1), "padding"},
		{"no chain", rechained(nil), "certificate 1 of 3"},
		{"two certificates", rechained(pemChain(m.pck.cert, m.platform.cert)), "certificate 3 of 3"},
		{"four certificates", rechained(append(slices.Clone(chain), pemChain(m.root.cert)...)), "after the 3 certificates"},
		{"text before the chain", rechained(append([]byte("x\n"), chain...)), "usual form"},
		{"pem header", rechained(bytes.Replace(chain, []byte("-\nM"), []byte("-\nA: b\n\nM"), 1)), "usual form"},
		{"two zeros after the chain", rechained(append(slices.Clone(chain), 0, 0)), "after the 3 certificates"},
		{"other block", rechained(bytes.ReplaceAll(chain, []byte("CERTIFICATE"), []byte("PUBLIC KEY!"))), "certificate 1 of 3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := tdx.ParseQuote(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) || q != nil {
				t.Errorf("ParseQuote = %v, %v, want an error with %q", q, err, tc.want)
			}
		})
	}
}

// Each step of VerifySignature finds its own fault and no other.
func TestVerifySignatureSteps(t *testing.T) {
	m := newMint(t)
	all := []error{tdx.ErrBodySignature, tdx.ErrAttestationKey, tdx.ErrQEReportSignature}
	for _, tc := range []struct {
		name string
		edit func(*tdx.Quote)
		want error
	}{
		{"body", func(q *tdx.Quote) { q.ReportData[0]++ }, tdx.ErrBodySignature},
		{"header", func(q *tdx.Quote) { q.UserData[0]++ }, tdx.ErrBodySignature},
		{"signature", func(q *tdx.Quote) { q.Signature[5]++ }, tdx.ErrBodySignature},
		{"auth data", func(q *tdx.Quote) { q.QEAuthData = []byte("other") }, tdx.ErrAttestationKey},
		{"qe report signature", func(q *tdx.Quote) { q.QEReportSignature[5]++ }, tdx.ErrQEReportSignature},
		{"qe report", func(q *tdx.Quote) { q.QEReport.ISVSVN++ }, tdx.ErrQEReportSignature},
		{"other pck", func(q *tdx.Quote) { q.PCKChain[0] = q.PCKChain[1] }, tdx.ErrQEReportSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := tdx.ParseQuote(m.quote(t, nil, tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			err = q.VerifySignature()
			for _, e := range all {
				if got, want := errors.Is(err, e), errors.Is(tc.want, e); got != want {
					t.Errorf("VerifySignature = %v, is %q: %v, want %v", err, e, got, want)
				}
			}
		})
	}
	t.Run("attestation key not on the curve", func(t *testing.T) {
		q, err := tdx.ParseQuote(m.quote(t, nil, func(q *tdx.Quote) { q.AttestationKey = [64]byte{} }))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.VerifyBody(); !errors.Is(err, tdx.ErrBodySignature) {
			t.Errorf("VerifyBody = %v", err)
		}
	})
	t.Run("bytes after the hash in the report data", func(t *testing.T) {
		raw := m.quote(t, nil, func(q *tdx.Quote) { q.QEReport.ReportData[63] = 1 })
		q, err := tdx.ParseQuote(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.VerifyAttestationKey(); !errors.Is(err, tdx.ErrAttestationKey) {
			t.Errorf("VerifyAttestationKey = %v", err)
		}
	})
	t.Run("zero quote", func(t *testing.T) {
		if err := new(tdx.Quote).VerifySignature(); err == nil {
			t.Error("a quote of nothing verifies")
		}
	})
}

// Every byte of a quote counts: structure, signatures, chain and padding.
func TestEveryByteCounts(t *testing.T) {
	for _, g := range genuineQuotes(t) {
		if g.name != "qvl-tdx_quote" && g.name != "gtg-quote_v5_sample.dat" {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			roots, raw := intelRoots(t), slices.Clone(g.raw)
			if err := accept(raw, roots, chainTime); err != nil {
				t.Fatal(err)
			}
			flips := []byte{0x01, 0x20, 0x80}
			if g.version == 5 {
				flips = flips[:1]
			}
			for i := range raw {
				for _, flip := range flips {
					raw[i] ^= flip
					if accept(raw, roots, chainTime) == nil {
						t.Errorf("byte %d ^ 0x%02x is accepted", i, flip)
					}
					raw[i] ^= flip
				}
			}
		})
	}
}

// accept runs what a verifier without collateral runs.
func accept(raw []byte, roots *tdx.Roots, at time.Time) error {
	q, err := tdx.ParseQuote(raw)
	if err != nil {
		return err
	}
	if err := q.VerifySignature(); err != nil {
		return err
	}
	_, err = roots.VerifyPCK(q, at)
	return err
}

func TestVerifyPCK(t *testing.T) {
	m := newMint(t)
	other := newMint(t)
	other.root.cert.RawSubject = m.root.cert.RawSubject
	for _, tc := range []struct {
		name  string
		roots *tdx.Roots
		at    time.Time
		want  string
	}{
		{"good", m.roots(), mintTime, ""},
		{"one of two roots", tdx.NewRoots(other.root.cert, m.root.cert), mintTime, ""},
		{"no roots", nil, mintTime, "no trusted root"},
		{"zero roots", &tdx.Roots{}, mintTime, "no trusted root"},
		{"nil certificate", tdx.NewRoots(nil), mintTime, "no trusted root"},
		{"other root of the same name", other.roots(), mintTime, "not trusted"},
		{"no time", m.roots(), time.Time{}, "no time"},
		{"too early", m.roots(), mintTime.AddDate(-6, 0, 0), "not valid before"},
		{"too late", m.roots(), mintTime.AddDate(6, 0, 0), "expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := tdx.ParseQuote(m.quote(t, nil, nil))
			if err != nil {
				t.Fatal(err)
			}
			pck, err := tc.roots.VerifyPCK(q, tc.at)
			checkErr(t, "VerifyPCK", err, tc.want)
			if err != nil && pck.Certificate != nil {
				t.Error("a value beside an error")
			}
		})
	}
	if _, err := m.roots().VerifyPCK(nil, mintTime); err == nil {
		t.Error("VerifyPCK(nil) gives no error")
	}
}

// The copy of the root in the quote has to be one that the trusted key signed.
func TestVerifyPCKRootCopy(t *testing.T) {
	m := newMint(t)
	raw := m.quote(t, nil, func(q *tdx.Quote) {
		der := slices.Clone(q.PCKChain[2])
		der[len(der)-1] ^= 1
		q.PCKChain[2] = der
	})
	checkErr(t, "accept", accept(raw, m.roots(), mintTime), `certificate "Intel SGX Root CA": x509`)
}

func checkErr(tb testing.TB, what string, err error, want string) {
	tb.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		tb.Errorf("%s = %v, want an error with %q", what, err, want)
	}
}

// Each case differs from a good chain in one thing.
func TestVerifyPCKChain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		build func(*mint)
		want  string
	}{
		{"processor ca", func(m *mint) { m.issuePCK(m.tb, m.processor, nil) }, ""},
		{"leaf is a ca", func(m *mint) {
			m.platform = issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 1) })
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { asCA(c, 0) })
		}, "is a CA"},
		{"leaf may not sign", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })
		}, "digitalSignature"},
		{"leaf of another name", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.Subject.CommonName = "Intel SGX TCB Signing" })
		}, `want ["Intel SGX PCK Certificate"]`},
		{"leaf of another organization", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.Subject.Organization = []string{"Other"} })
		}, "Other"},
		{"leaf expired", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.NotAfter = mintTime.AddDate(0, 0, -1) })
		}, `"Intel SGX PCK Certificate" expired`},
		{"ca expired", func(m *mint) {
			m.platform = issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0); c.NotAfter = mintTime.AddDate(0, 0, -1) })
			m.issuePCK(m.tb, m.platform, nil)
		}, `"Intel SGX PCK Platform CA" expired`},
		{"ca of another name", func(m *mint) {
			m.platform = issue(m.tb, m.root, "Intel SGX Other CA", func(c *x509.Certificate) { asCA(c, 0) })
			m.issuePCK(m.tb, m.platform, nil)
		}, "Intel SGX Other CA"},
		{"ca that is none", func(m *mint) {
			m.platform = issue(m.tb, m.root, "Intel SGX PCK Platform CA", nil)
			m.issuePCK(m.tb, m.platform, nil)
		}, "may not sign certificates"},
		{"ca of another root", func(m *mint) {
			m.platform = issue(m.tb, issue(m.tb, issued{}, "Intel SGX Root CA", func(c *x509.Certificate) { asCA(c, 1) }), "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) })
			m.issuePCK(m.tb, m.platform, nil)
		}, "Intel SGX PCK Platform CA"},
		{"leaf of another ca of the same name", func(m *mint) {
			m.issuePCK(m.tb, issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) }), nil)
		}, `"Intel SGX PCK Certificate"`},
		{"root with path length 0", func(m *mint) {
			m.root = issue(m.tb, issued{}, "Intel SGX Root CA", func(c *x509.Certificate) { asCA(c, 0) })
			m.platform = issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) })
			m.issuePCK(m.tb, m.platform, nil)
		}, "path length"},
		{"leaf that names another issuer", func(m *mint) {
			ca := *m.platform.cert
			ca.RawSubject, ca.Subject.CommonName = nil, "Other CA"
			m.issuePCK(m.tb, issued{&ca, m.platform.key}, nil)
		}, `names the issuer "Other CA"`},
		{"root of another name", func(m *mint) {
			m.root = issue(m.tb, issued{}, "Other Root CA", func(c *x509.Certificate) { asCA(c, 1) })
			m.platform = issue(m.tb, m.root, "Intel SGX PCK Platform CA", func(c *x509.Certificate) { asCA(c, 0) })
			m.issuePCK(m.tb, m.platform, nil)
		}, `certificate of "Other Root CA"`},
		{"leaf with another hash", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA512 })
		}, "is signed with ECDSA-SHA512"},
		{"no sgx extension", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.ExtraExtensions = nil })
		}, "no sgx extension"},
		{"unknown critical extension", func(m *mint) {
			m.issuePCK(m.tb, m.platform, func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true })
		}, "critical"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMint(t)
			tc.build(m)
			checkErr(t, "accept", accept(m.quote(t, nil, nil), m.roots(), mintTime), tc.want)
		})
	}
}

func TestAttributes(t *testing.T) {
	a := tdx.AttrDebug | tdx.AttrSeptVEDisable | tdx.AttrPKS | tdx.AttrKL | tdx.AttrPerfMon | tdx.AttrMigratable | 1<<40
	if !a.Debug() || !a.UnderDebug() || !a.SeptVEDisable() || !a.PKS() || !a.KL() || !a.PerfMon() || !a.Migratable() || a.UnknownBits() != 1<<40 {
		t.Errorf("attributes of %x are read wrong", uint64(a))
	}
	want := []string{"debug", "sept_ve_disable", "migratable", "pks", "kl", "perfmon", "0x0000010000000000"}
	if got := a.Names(); !slices.Equal(got, want) {
		t.Errorf("Names = %q, want %q", got, want)
	}
	var none tdx.Attributes
	if none.Debug() || none.UnderDebug() || none.SeptVEDisable() || none.PKS() || none.KL() || none.PerfMon() || none.Migratable() || none.UnknownBits() != 0 || none.Names() != nil {
		t.Error("attributes of zero are read wrong")
	}
	if reserved := tdx.Attributes(1 << 3); reserved.Debug() || !reserved.UnderDebug() {
		t.Error("a reserved bit of the debug group is not seen as such")
	}
}
