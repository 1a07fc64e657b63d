package tdx_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tdx-guest/abi"
	pb "github.com/google/go-tdx-guest/proto/tdx"
	oracletest "github.com/google/go-tdx-guest/testing"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/tdx"
	"github.com/attestctl/attestctl/internal/corpus"
)

// genuine is a real quote with what is known of it.
type genuine struct {
	name    string
	raw     []byte
	version uint16
	debug   bool
	fmspc   string
}

// extraText is what the testers of go-tdx-guest put behind a genuine quote.
var extraText = []byte("\nextra bytes(only for testing purpose)\n")

// genuineQuotes reads every real quote of the corpus.
func genuineQuotes(tb testing.TB) []genuine {
	tb.Helper()
	read := func(name string) []byte { return corpus.Read(tb, "d-tdx/"+name) }
	return []genuine{
		{sprE4, bytes.TrimSuffix(read(sprE4), extraText), 4, false, "50806f000000"},
		{"gtg-cos-113-tdx-quote.dat", read("gtg-cos-113-tdx-quote.dat"), 4, false, "00806f050000"},
		{"gtg-quote_v5_sample.dat", read("gtg-quote_v5_sample.dat"), 5, false, "90c06f000000"},
		{"trustee-tdx_quote_4.dat", read("trustee-tdx_quote_4.dat"), 4, true, "50806f000000"},
		{"trustee-tdx_quote_5.dat", read("trustee-tdx_quote_5.dat"), 5, false, "90c06f000000"},
		{"trustee-az-td-quote.bin", read("trustee-az-td-quote.bin"), 4, false, "00806f050000"},
		{"trustee-az-tdx-v0.json", azureJSON(tb), 4, false, "00806f050000"},
		{"qvl-tdx_quote", read("qvl-tdx_quote"), 4, false, "b0c06f000000"},
		{"fb-dcap-tdx", read("fb-dcap-tdx-1766059550570652607"), 4, false, "00806f050000"},
		{"flashbots-azure-tdx", azureYAML(tb), 4, false, "90c06f000000"},
		{"layr/tdx-dbg.pb", protoQuote(tb, "tdx-dbg.pb"), 4, false, "00806f050000"},
		{"layr/tdx-dbg-x.pb", protoQuote(tb, "tdx-dbg-x.pb"), 4, false, "00806f050000"},
	}
}

const sprE4 = "gtg-tdx_prod_quote_SPR_E4.dat"

// genuineQuote reads one of them.
func genuineQuote(tb testing.TB, name string) []byte {
	tb.Helper()
	for _, g := range genuineQuotes(tb) {
		if g.name == name {
			return g.raw
		}
	}
	tb.Fatalf("no quote %q", name)
	return nil
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 12, 0, 0, 0, time.UTC) }

// chainTime is inside the validity of every genuine PCK chain.
var chainTime = date(2026, 3, 1)

func intelRoots(tb testing.TB) *tdx.Roots {
	tb.Helper()
	return tdx.NewRoots(certificate(tb, corpus.Read(tb, "g-certs/intel_sgx_root_ca.pem")))
}

func certificate(tb testing.TB, text []byte) *x509.Certificate {
	tb.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		tb.Fatal("no pem")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// protoQuote takes the quote out of an attestation of go-tpm-tools, which keeps it
// in fields.
func protoQuote(tb testing.TB, name string) []byte {
	tb.Helper()
	const tdxAttestation = 9 // of attest.Attestation
	in := corpus.Read(tb, "b-tpm-quotes/layr/"+name)
	message := &pb.QuoteV4{}
	for len(in) > 0 {
		number, _, n := protowire.ConsumeField(in)
		if n < 0 {
			tb.Fatal(protowire.ParseError(n))
		}
		field := in[:n]
		in = in[n:]
		if number != tdxAttestation {
			continue
		}
		_, _, tag := protowire.ConsumeTag(field)
		value, _ := protowire.ConsumeBytes(field[tag:])
		if err := proto.Unmarshal(value, message); err != nil {
			tb.Fatal(err)
		}
	}
	raw, err := abi.QuoteToAbiBytes(message)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func azureJSON(tb testing.TB) []byte {
	tb.Helper()
	var d struct {
		Quote []int `json:"td_quote"`
	}
	if err := json.Unmarshal(corpus.Read(tb, "b-tpm-quotes/trustee-az-tdx-v0.json"), &d); err != nil {
		tb.Fatal(err)
	}
	raw := make([]byte, len(d.Quote))
	for i, b := range d.Quote {
		raw[i] = byte(b)
	}
	return raw
}

func azureYAML(tb testing.TB) []byte {
	tb.Helper()
	blocks := yamlBlocks(corpus.Read(tb, "b-tpm-quotes/flashbots-azure-tdx-1764662251380464271.yaml"))
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(blocks["tdx_quote_base64"], "="))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// yamlBlocks reads the block scalars at the top of a YAML file.
func yamlBlocks(text []byte) map[string]string {
	blocks, key := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), ": |-"); ok && !strings.HasPrefix(line, " ") {
			key = name
			continue
		}
		if inner, ok := strings.CutPrefix(line, "  "); ok {
			blocks[key] += inner
		}
	}
	for k, v := range blocks {
		blocks[k] = strings.TrimRight(v, "\n")
	}
	return blocks
}

func jsonStrings(tb testing.TB, text []byte) map[string]string {
	tb.Helper()
	var d map[string]string
	if err := json.Unmarshal(text, &d); err != nil {
		tb.Fatal(err)
	}
	return d
}

// wrapped puts collateral that other tools keep in pieces into Intel's form.
func wrapped(d map[string]string) *tdx.Collateral {
	return &tdx.Collateral{
		TCBInfo:         envelope("tcbInfo", d["tcb_info"], d["tcb_info_signature"]),
		TCBInfoChain:    []byte(d["tcb_info_issuer_chain"]),
		QEIdentity:      envelope("enclaveIdentity", d["qe_identity"], d["qe_identity_signature"]),
		QEIdentityChain: []byte(d["qe_identity_issuer_chain"]),
		PCKCRL:          fromHex(d["pck_crl"]),
		PCKCRLChain:     []byte(d["pck_crl_issuer_chain"]),
		RootCRL:         fromHex(d["root_ca_crl"]),
	}
}

// fromHex returns nothing for what is not hex, which no check accepts.
func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// sampleCollateral is the collateral of 2023 that go-tdx-guest tests with.
func sampleCollateral(tb testing.TB) *tdx.Collateral {
	tb.Helper()
	chain := func(header map[string][]string) []byte {
		for _, v := range header {
			text, err := url.PathUnescape(v[0])
			if err != nil {
				tb.Fatal(err)
			}
			return []byte(text)
		}
		return nil
	}
	return &tdx.Collateral{
		TCBInfo:      bytes.TrimSpace(corpus.Read(tb, "d-tdx/gtg-sample_tcbInfo_response")),
		TCBInfoChain: chain(oracletest.TcbInfoHeader),
		QEIdentity:   corpus.Read(tb, "d-tdx/gtg-sample_qeIdentity_response"), QEIdentityChain: chain(oracletest.QeIdentityHeader),
		PCKCRL: corpus.Read(tb, "d-tdx/gtg-pckcrl"), PCKCRLChain: chain(oracletest.PckCrlHeader),
		RootCRL: corpus.Read(tb, "d-tdx/gtg-rootcrl.der"),
	}
}

func TestGenuineQuotes(t *testing.T) {
	roots := intelRoots(t)
	for _, g := range genuineQuotes(t) {
		t.Run(g.name, func(t *testing.T) {
			q, err := tdx.ParseQuote(g.raw)
			if err != nil {
				t.Fatalf("ParseQuote: %v", err)
			}
			if !bytes.Equal(q.Append(nil), g.raw) {
				t.Error("Append does not give the input back")
			}
			if q.Version != g.version || q.Attributes.Debug() != g.debug || q.MRTD == [48]byte{} {
				t.Errorf("version %d, debug %v, mrtd %x, want version %d, debug %v", q.Version, q.Attributes.Debug(), q.MRTD, g.version, g.debug)
			}
			if err := q.VerifySignature(); err != nil {
				t.Errorf("VerifySignature: %v", err)
			}
			pck, err := roots.VerifyPCK(q, chainTime)
			if err != nil {
				t.Fatalf("VerifyPCK: %v", err)
			}
			if got := hex.EncodeToString(pck.FMSPC[:]); got != g.fmspc || pck.CA != tdx.PlatformCA || pck.PCESVN == 0 {
				t.Errorf("PCK has fmspc %s, CA %s, pcesvn %d, want %s of the platform ca", got, pck.CA, pck.PCESVN, g.fmspc)
			}
			if _, err := roots.VerifyPCK(q, pck.NotAfter.Add(time.Second)); err == nil || !strings.Contains(err.Error(), "expired") {
				t.Errorf("VerifyPCK after its end = %v, want expired", err)
			}
		})
	}
}

// published is genuine collateral with a time at which it was current.
type published struct {
	*tdx.Collateral
	at time.Time
}

// genuineCollateral reads all collateral of the corpus, by the source's name.
func genuineCollateral(tb testing.TB) map[string]published {
	tb.Helper()
	read := func(name string) []byte { return corpus.Read(tb, "d-tdx/"+name) }
	azure := wrapped(yamlBlocks(read("fb-azure-collateral02.yaml")))
	february := *azure
	february.TCBInfo = read("gtg-tcbinfo_v5.json")
	return map[string]published{
		"gtg 2023":      {sampleCollateral(tb), date(2023, 7, 1)},
		"qvl":           {wrapped(jsonStrings(tb, read("qvl-tdx_quote_collateral.json"))), date(2025, 6, 21)},
		"fb-dcap":       {wrapped(yamlBlocks(read("fb-dcap-quote-collateral-00.yaml"))), date(2026, 1, 29)},
		"azure":         {azure, date(2026, 2, 20)},
		"gtg v5 sample": {&february, date(2026, 2, 20)},
	}
}

// genuineVerdicts are the statuses of genuine quotes under genuine collateral, in
// the order TCB, platform, module, quoting enclave. Where there is only an error,
// err is what it says. differs says why go-tdx-guest does not judge as we do.
var genuineVerdicts = []struct {
	quote, collateral string
	want              [4]tdx.TCBStatus
	err               string
	differs           string
}{
	{quote: sprE4, collateral: "gtg 2023", err: "the platform reaches no tcb level"},
	{quote: "trustee-tdx_quote_4.dat", collateral: "gtg 2023", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "", "UpToDate"}},
	{quote: "qvl-tdx_quote", collateral: "qvl", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
	{quote: "fb-dcap-tdx", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
	{quote: "gtg-cos-113-tdx-quote.dat", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"OutOfDate", "OutOfDate", "OutOfDate", "UpToDate"}},
	{quote: "trustee-az-td-quote.bin", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"OutOfDate", "OutOfDate", "OutOfDate", "UpToDate"}},
	{quote: "trustee-az-tdx-v0.json", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"OutOfDate", "OutOfDate", "OutOfDate", "UpToDate"}},
	{quote: "layr/tdx-dbg.pb", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
	{quote: "layr/tdx-dbg-x.pb", collateral: "fb-dcap", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
	{quote: "flashbots-azure-tdx", collateral: "azure", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"}},
	{
		quote: "gtg-quote_v5_sample.dat", collateral: "azure", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"},
		differs: "go-tdx-guest does not know version 5",
	},
	{
		quote: "gtg-quote_v5_sample.dat", collateral: "gtg v5 sample", want: [4]tdx.TCBStatus{"UpToDate", "UpToDate", "UpToDate", "UpToDate"},
		differs: "go-tdx-guest does not know version 5",
	},
	{quote: "trustee-tdx_quote_5.dat", collateral: "azure", err: "the platform reaches no tcb level"},
}

func TestGenuineCollateral(t *testing.T) {
	roots, all := intelRoots(t), genuineCollateral(t)
	for _, tc := range genuineVerdicts {
		t.Run(tc.quote+" "+tc.collateral, func(t *testing.T) {
			c := all[tc.collateral]
			q, err := tdx.ParseQuote(genuineQuote(t, tc.quote))
			if err != nil {
				t.Fatal(err)
			}
			pck, err := roots.VerifyPCK(q, c.at)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Evaluate(q, pck, roots, c.at, tdx.Options{})
			checkErr(t, "Evaluate", err, tc.err)
			if got := [4]tdx.TCBStatus{s.TCBStatus, s.PlatformStatus, s.ModuleStatus, s.QEStatus}; got != tc.want {
				t.Errorf("Evaluate = %q, want %q", got, tc.want)
			}
			if err != nil {
				return
			}
			if s.NextUpdate.Before(c.at) || s.NotAfter.After(s.NextUpdate) || s.Issued.After(c.at) || s.TCBDate.IsZero() || s.TCBEvaluationDataNumber < 15 {
				t.Errorf("Evaluate = %+v, times out of order", s)
			}
			if (s.TCBStatus == tdx.OutOfDate) != (len(s.AdvisoryIDs) > 0) || !slices.IsSorted(s.AdvisoryIDs) {
				t.Errorf("advisories of %s are %q", s.TCBStatus, s.AdvisoryIDs)
			}
			_, err = c.Evaluate(q, pck, roots, date(2026, 11, 23), tdx.Options{})
			checkErr(t, "Evaluate at the end of 2026", err, "expired")
		})
	}
}

// The text behind the sample quote is not part of it, and no tool wrote it.
func TestTrailingTextIsRefused(t *testing.T) {
	raw := corpus.Read(t, "d-tdx/gtg-tdx_prod_quote_SPR_E4.dat")
	if _, err := tdx.ParseQuote(raw); err == nil || !strings.Contains(err.Error(), "padding") {
		t.Errorf("ParseQuote = %v, want an error on the padding", err)
	}
}

// Intel's sample quote has its own root, the chain in DER and in reverse, and one
// CA that is a processor CA. Its chain in PEM is beside it.
func TestIntelSample(t *testing.T) {
	read := func(name string) []byte { return corpus.Read(t, "d-tdx/intel-sample/"+name) }
	raw := read("quote.dat")
	if _, err := tdx.ParseQuote(raw); err == nil || !strings.Contains(err.Error(), "certificate 1 of 3") {
		t.Errorf("ParseQuote with a chain in der = %v", err)
	}
	q, err := tdx.ParseQuote(intelSampleInPEM(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.VerifySignature(); err != nil {
		t.Errorf("VerifySignature: %v", err)
	}
	own := tdx.NewRoots(certificate(t, read("trustedRootCaCert.pem")))
	pck, err := own.VerifyPCK(q, chainTime)
	if err != nil || pck.CA != tdx.ProcessorCA {
		t.Fatalf("VerifyPCK under its own root = %q, %v", pck.CA, err)
	}
	if _, err := intelRoots(t).VerifyPCK(q, chainTime); err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("VerifyPCK under Intel's root = %v, want an error", err)
	}
	c := &tdx.Collateral{
		TCBInfo: read("tcbInfo.json"), TCBInfoChain: reversed(read("tcbSignChain.pem")),
		QEIdentity: read("qeIdentity.json"), QEIdentityChain: reversed(read("tcbSignChain.pem")),
		PCKCRL: read("intermediateCaCrl.der"), RootCRL: read("rootCaCrl.der"),
	}
	// The sample has SVNs such as 65473, which no component can have.
	if _, err := c.Evaluate(q, pck, own, chainTime, tdx.Options{}); err == nil || !strings.Contains(err.Error(), "svn is 65473") {
		t.Errorf("Evaluate = %v, want an error on the svn", err)
	}
}

// intelSampleInPEM puts the PEM chain into the sample quote. The chain is not
// signed by itself.
func intelSampleInPEM(tb testing.TB) []byte {
	tb.Helper()
	raw := slices.Clone(corpus.Read(tb, "d-tdx/intel-sample/quote.dat"))
	leaf := certificate(tb, corpus.Read(tb, "d-tdx/intel-sample/pckCert.pem"))
	cas := reversed(corpus.Read(tb, "d-tdx/intel-sample/pckSignChain.pem"))
	return withChain(raw, append(pemChain(leaf), cas...))
}

// reversed puts the two certificates of a PEM file into the other order, with
// line feeds.
func reversed(text []byte) []byte {
	first, rest := pem.Decode(text)
	second, _ := pem.Decode(rest)
	return append(pem.EncodeToMemory(second), pem.EncodeToMemory(first)...)
}
