package evidence_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/corpus"
)

// encodings returns Google's evidence in every encoding that gotpm and its
// relatives write.
func encodings(tb testing.TB) map[string][]byte {
	tb.Helper()
	binary := corpus.GoogleEvidence(tb)
	msg := decodeAny(tb, binary)
	text, err := prototext.MarshalOptions{Multiline: true, EmitASCII: true}.Marshal(msg)
	if err != nil {
		tb.Fatal(err)
	}
	js, err := protojson.Marshal(msg)
	if err != nil {
		tb.Fatal(err)
	}
	return map[string][]byte{
		"attestation-binarypb":  binary,
		"attestation-textproto": text,
		"attestation-protojson": js,
		"tcg-eventlog":          msg.GetEventLog(),
	}
}

func TestLoadDetects(t *testing.T) {
	for format, data := range encodings(t) {
		t.Run(format, func(t *testing.T) {
			b, err := evidence.Load(bytes.NewReader(data))
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			if b.Format() != format {
				t.Errorf("Format() = %q, want %q", b.Format(), format)
			}
			if _, err := evidence.LoadAs(iotest.OneByteReader(bytes.NewReader(data)), format); err != nil {
				t.Errorf("LoadAs(%q): %v", format, err)
			}
		})
	}
}

// TestEncodingsAgree verifies one attestation in three encodings: all claims
// but the name of the format must be the same.
func TestEncodingsAgree(t *testing.T) {
	want := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true}
	var first string
	for format, data := range encodings(t) {
		if format == "tcg-eventlog" {
			continue
		}
		res, err := verify(data, embeddedTrust(t), want)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		res.Claims.Format = ""
		got := toJSON(t, res.Claims)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s: claims differ from those of another encoding", format)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	enc := encodings(t)
	binary, text := enc["attestation-binarypb"], string(enc["attestation-textproto"])
	duplicateKey := strings.Replace(text, "    pcrs: {", "    pcrs: { key: 0 value: \"\" }\n    pcrs: {", 1)
	duplicateKey = strings.Replace(duplicateKey, "    pcrs:  {", "    pcrs:  { key: 0 value: \"\" }\n    pcrs:  {", 1)
	for _, tc := range []struct {
		name, format string // the check is format.detected if format is ""
		in           []byte
		want         string
	}{
		{"empty", "", nil, "empty"},
		{"one byte over the cap", "", make([]byte, evidence.MaxSize+1), "larger than 4 MiB"},
		{"random text", "", []byte("<html>no</html>"), "no format fits"},
		{"byte order mark", "", append([]byte("\xef\xbb\xbf"), text...), "no format fits"},
		{"UTF-16", "", []byte("\xff\xfea\x00k\x00"), "no format fits"},
		{"polyglot of binary and text", "", polyglot(), "attestation-binarypb and attestation-textproto"},
		{"message concatenated to itself", "attestation-binarypb", append(bytes.Clone(binary), binary...), "second reading"},
		{"singular field repeated", "attestation-binarypb", repeatEventLog(binary), "second reading"},
		{"field of default value", "attestation-binarypb", append(bytes.Clone(binary), 0x2a, 0), "second reading"},
		{"varint in long form", "attestation-binarypb", longVarint(binary), "second reading"},
		{"cut within a field", "attestation-binarypb", binary[:len(binary)-1], "cut off"},
		{"not a message behind its first byte", "attestation-binarypb", []byte("\x0a\xff\xff\xff\xff\xff"), "cut off"},
		{"nine quotes", "attestation-binarypb", bytes.Repeat([]byte{0x12, 0}, 9), "9 quotes"},
		{"a million empty quotes", "attestation-binarypb", bytes.Repeat([]byte{0x12, 0}, 1<<20), "fields"},
		{"17 intermediates", "attestation-binarypb", bytes.Repeat([]byte{0x3a, 1, 0}, 17), "17 intermediate"},
		{"textproto unknown field", "attestation-textproto", []byte(text + "\nsurprise: 1\n"), "surprise"},
		{"textproto field twice", "attestation-textproto", []byte(text + "\nak_pub: \"x\"\n"), "ak_pub"},
		{"textproto map key twice", "attestation-textproto", []byte(duplicateKey), "second reading"},
		{"textproto of many messages", "attestation-textproto", []byte(strings.Repeat("quotes{}", 2000)), "messages"},
		{"textproto unclosed string", "attestation-textproto", []byte("ak_pub: \"abc"), "not closed"},
		{"protojson unknown field", "attestation-protojson", []byte(`{"surprise":1}`), "surprise"},
		{"protojson field twice", "attestation-protojson", []byte(`{"akPub":"","ak_pub":""}`), "duplicate"},
		{"protojson trailing bytes", "attestation-protojson", append(enc["attestation-protojson"], " {}"...), "unexpected token"},
		{"protojson of many messages", "attestation-protojson", []byte(`{"quotes":[` + strings.Repeat("{},", 5000) + `{}]}`), "messages"},
		{"event log cut", "tcg-eventlog", enc["tcg-eventlog"][:len(enc["tcg-eventlog"])-1], "event"},
		{"tpm2_quote message alone", "tpm2-quote", []byte("\xffTCG\x80\x18"), "without its signature"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := evidence.Load(bytes.NewReader(tc.in))
			if b != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("Load = %v, %v, want an error with %q", b, err, tc.want)
			}
			var fe *evidence.FormatError
			if !errors.As(err, &fe) || fe.Format != tc.format {
				t.Errorf("format of the error = %+v, want %q", fe, tc.format)
			}
			res, err := evidence.RefuseInput(err)
			check := "format.detected"
			if tc.format != "" {
				check = "format.strict"
			}
			if c := checkOf(t, res, check); err == nil || c.Status != evidence.Fail || res.Claims != nil {
				t.Errorf("RefuseInput: %s is %v, want a failure", check, c.Status)
			}
		})
	}
}

// polyglot is a binary message, its only field a certificate of text, that
// reads as text format from its first byte on.
func polyglot() []byte { return []byte("\nAnever: 1 # " + strings.Repeat("x", 54)) }

func repeatEventLog(b []byte) []byte {
	out := protowire.AppendTag(bytes.Clone(b), 3, protowire.BytesType)
	return protowire.AppendBytes(out, []byte("other log"))
}

// longVarint spells the length of the first field with one byte more.
func longVarint(b []byte) []byte {
	_, n := protowire.ConsumeVarint(b[1:])
	out := bytes.Clone(b[:1+n])
	out[n] |= 0x80
	return append(append(out, 0), b[1+n:]...)
}

func TestUnknownFieldsAreCounted(t *testing.T) {
	data := protowire.AppendTag(corpus.GoogleEvidence(t), 2047, protowire.BytesType)
	data = protowire.AppendBytes(data, []byte("smuggled"))
	res, err := verify(data, embeddedTrust(t), evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true})
	if err != nil || res.UnknownFields != 1 {
		t.Errorf("Verify = %v, %d unknown fields, want 1", err, res.UnknownFields)
	}
	if c := checkOf(t, res, "format.strict"); !strings.Contains(c.Detail, "1 unknown") {
		t.Errorf("format.strict says %q, want the unknown field in it", c.Detail)
	}
}

func TestLoadEndless(t *testing.T) {
	_, err := evidence.Load(endless{})
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("Load(endless) = %v, want the cap", err)
	}
}

// endless gives zeros for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLoadReadError(t *testing.T) {
	_, err := evidence.Load(iotest.ErrReader(io.ErrClosedPipe))
	var fe *evidence.FormatError
	if !errors.Is(err, io.ErrClosedPipe) || errors.As(err, &fe) {
		t.Errorf("Load = %v, want the reader's error as it is", err)
	}
}

func TestLoadAsUnknown(t *testing.T) {
	_, err := evidence.LoadAs(strings.NewReader("x"), "yaml")
	if err == nil || !strings.Contains(err.Error(), `unknown format "yaml"`) {
		t.Errorf("LoadAs = %v, want the name in the error", err)
	}
}

// FuzzLoad: on error there is no bundle, and an attestation that was accepted
// in binary has only this size; no input panics on its way through Verify.
func FuzzLoad(f *testing.F) {
	for _, data := range encodings(f) {
		f.Add(data)
	}
	f.Add(polyglot())
	trust := embeddedTrust(f)
	want := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true, InsecureEvidenceAK: true}
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := evidence.Load(bytes.NewReader(in))
		if err != nil {
			if b != nil {
				t.Error("a bundle beside an error")
			}
			return
		}
		if b.Format() == "attestation-binarypb" {
			msg := new(attest.Attestation)
			if err := proto.Unmarshal(in, msg); err != nil || proto.Size(msg) != len(in) {
				t.Errorf("accepts two encodings: %v", err)
			}
		}
		b.Untrusted()
		res, err := b.Verify(trust, want)
		if err == nil || res.Claims != nil {
			t.Error("evidence that vouches for itself was accepted")
		}
		if strings.Contains(err.Error(), "internal error") {
			t.Errorf("a panic was caught: %v", err)
		}
	})
}
