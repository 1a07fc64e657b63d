package tdx_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"testing"

	"github.com/attestctl/attestctl/evidence/tdx"
)

// On error nothing else is returned; on success encoding gives the input back, and
// every step of verification answers.
func FuzzParseQuote(f *testing.F) {
	m := newMint(f)
	f.Add(m.quote(f, nil, nil))
	f.Add(m.quote(f, v5, nil))
	f.Add(m.quote(f, func(q *tdx.Quote) { q.Padding, q.ChainPadding = 9, 1 }, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		q, err := tdx.ParseQuote(in)
		if err != nil {
			if q != nil {
				t.Error("a value beside an error")
			}
			return
		}
		if !bytes.Equal(q.Append(nil), in) {
			t.Error("accepts two encodings")
		}
		if !bytes.Equal(q.AppendSigned(nil), q.Signed) {
			t.Error("the signed bytes are not those of the fields")
		}
		_ = q.VerifySignature()
		root, err := x509.ParseCertificate(q.PCKChain[2])
		if err != nil {
			t.Fatalf("a chain with a certificate that does not parse: %v", err)
		}
		// Trusting the root of the quote itself gets to all of the code.
		if pck, err := tdx.NewRoots(root).VerifyPCK(q, mintTime); err != nil && pck.Certificate != nil {
			t.Error("a certificate beside an error")
		}
	})
}

// What we accept encoding/json accepts too, and its member of the exact name is
// what we say was signed.
func FuzzTCBInfo(f *testing.F) {
	m := newMint(f)
	f.Add(m.sign(f, "tcbInfo", m.tcbInfo()))
	f.Add(m.confuse(f, m.tcbInfo(), m.tcbInfo()))
	f.Add([]byte(`{"tcbInfo":{"a":[{}]},"signature":""}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		info, err := tdx.ParseTCBInfo(in)
		if err != nil {
			if info != nil {
				t.Error("a value beside an error")
			}
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(in, &members); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if len(members) != 2 || !bytes.Equal(members["tcbInfo"], info.Signed) {
			t.Errorf("signed is %s, encoding/json reads %s", info.Signed, members["tcbInfo"])
		}
	})
}
