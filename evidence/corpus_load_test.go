package evidence_test

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
)

// TestCorpusThroughLoad loads and verifies every log (kind a), TPM quote (b)
// and canonical event log (e) of the corpus. Only the six pairs of genuine
// evidence and Google's own are ever accepted; a log alone is decoded and
// refused, because nobody signs it; what is of another format is refused
// cleanly, and nothing panics.
func TestCorpusThroughLoad(t *testing.T) {
	loaded := map[string]int{}
	for _, e := range corpus.Entries(t, "a", "b", "e") {
		if path.Ext(e.File) == ".json" && e.Kind == "a" || strings.Contains(e.File, "/pcrs/") {
			continue // reference values
		}
		t.Run(e.ID, func(t *testing.T) {
			b, err := evidence.Load(bytes.NewReader(corpus.Read(t, e.File)))
			if err != nil {
				checkLoadError(t, e, err)
				return
			}
			loaded[b.Format()]++
			want := evidence.Expect{Now: at, InsecureShortNonce: true}
			switch {
			case strings.HasPrefix(e.ID, "b-layr-"):
				want = layrExpect(t, e)
			case strings.HasPrefix(e.ID, "b-gtt-"):
				want.Nonce = mustHex(t, strings.Trim(e.Nonce, "(empty)"))
			}
			res, err := b.Verify(embeddedTrust(t), want)
			accept := strings.HasPrefix(e.ID, "b-layr-") || e.ID == "b-gtt-cos85-nonce9009"
			if (err == nil) != accept || (res.Claims != nil) != accept {
				t.Errorf("Verify = %v, %v, want accepted: %t", res.Verdict, err, accept)
			}
		})
	}
	if loaded["tcg-eventlog"] < 30 || loaded["attestation-binarypb"] != 8 || loaded["attestation-textproto"] != 6 {
		t.Errorf("loaded %v: want 30 logs or more, 8 binary and 6 text attestations", loaded)
	}
}

// checkLoadError wants a reason for every file of the corpus that does not load.
func checkLoadError(t *testing.T, e corpus.Entry, err error) {
	t.Helper()
	var fe *evidence.FormatError
	if !errors.As(err, &fe) || strings.Contains(err.Error(), "internal error") {
		t.Fatalf("Load = %v, want a *FormatError", err)
	}
	attestation := strings.HasPrefix(e.ID, "b-layr-") || strings.HasPrefix(e.ID, "b-gtt-")
	replays := e.Kind == "a" && (strings.HasPrefix(e.Verdict, "parses;") || strings.HasPrefix(e.Verdict, "replays"))
	if attestation || replays {
		t.Errorf("Load = %v, the manifest says %q", err, e.Verdict)
	}
}

// TestEmptyNonce takes Google's genuine quote for the empty nonce: it must not
// be accepted, whatever nonce is expected or not expected.
func TestEmptyNonce(t *testing.T) {
	for name, nonce := range map[string][]byte{"none": nil, "empty": {}, "another": bytes.Repeat([]byte{7}, 32), "short": {0x90, 0x09}} {
		res, err := verify(corpus.GoogleEvidenceNoNonce(t), embeddedTrust(t), evidence.Expect{Nonce: nonce, Now: at, InsecureShortNonce: true})
		if err == nil || res.Claims != nil || checkOf(t, res, "tpm.quote.nonce").Status != evidence.Fail {
			t.Errorf("%s nonce: %v, want tpm.quote.nonce to fail", name, res.Verdict)
		}
		if f := res.Failures(); len(f) != 1 {
			t.Errorf("%s nonce: failures are %v, want one", name, f)
		}
	}
}

// TestKeylimeQuote verifies the files of tpm2_quote that keylime tests with:
// PCR 15, 16 and 22 and no event log, which must be asked for by name.
func TestKeylimeQuote(t *testing.T) {
	file := func(name string) []byte { return corpus.Read(t, "b-tpm-quotes/keylime/"+name) }
	load := func() evidence.Bundle {
		b, err := evidence.LoadTPM2Quote(evidence.TPM2Quote{
			Message:   bytes.NewReader(file("quote.out")),
			Signature: bytes.NewReader(file("quotesig.out")),
			PCRs:      bytes.NewReader(file("quotepcr.out")),
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	trust, err := evidence.PinAK(file("ak.pub"))
	if err != nil {
		t.Fatal(err)
	}
	good := evidence.Expect{
		Nonce: mustHex(t, "db1db298db6d60e6385b7231743e9c3056a18003"), Now: at,
		RequirePCRs: []int{15, 16, 22}, InsecureNoEventLog: true,
	}
	res, err := load().Verify(trust, good)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if res.Claims.Boot != nil || res.Claims.SecBoot != nil || len(res.Claims.TPM.PCRs["sha256"]) != 3 {
		t.Errorf("claims say something of a boot nobody logged: %s", toJSON(t, res.Claims))
	}
	for name, tc := range map[string]struct {
		edit  func(*evidence.Expect)
		check string
	}{
		"required PCRs":  {func(x *evidence.Expect) { x.RequirePCRs = nil }, "tpm.quote.selection"},
		"event log":      {func(x *evidence.Expect) { x.InsecureNoEventLog = false }, "eventlog.format"},
		"another nonce":  {func(x *evidence.Expect) { x.Nonce = bytes.Repeat([]byte{1}, 20) }, "tpm.quote.nonce"},
		"no nonce given": {func(x *evidence.Expect) { x.Nonce = nil }, "tpm.quote.nonce"},
	} {
		want := good
		tc.edit(&want)
		res, err := load().Verify(trust, want)
		if err == nil || checkOf(t, res, tc.check).Status != evidence.Fail {
			t.Errorf("%s: %v, want %s to fail", name, err, tc.check)
		}
	}
	pem, err := evidence.PinAK(file("akpub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	res, err = load().Verify(pem, good)
	if err != nil || checkOf(t, res, "tpm.ak.attributes").Status != evidence.Skip || res.Claims.TPM.AK.Attributes != nil {
		t.Errorf("a pinned key without its public area: %v, want it accepted without a word on its attributes", err)
	}
}
