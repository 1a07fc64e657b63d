package evidence_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm-tools/server"
	"github.com/google/go-tpm/legacy/tpm2"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence"
)

// The benchmarks measure one job, from bytes to claims, on Google's signed
// evidence with three banks: once by this package, once by go-tpm-tools as a
// caller would have to use it to look at every bank. Compare the two lines of
// one run; absolute numbers depend on the machine.

func BenchmarkVerify(b *testing.B) {
	for _, format := range []string{"attestation-binarypb", "attestation-textproto"} {
		data := encodings(b)[format]
		trust := embeddedTrust(b)
		want := evidence.Expect{Nonce: []byte{0x90, 0x09}, Now: at, InsecureShortNonce: true}
		b.Run(format+"/attestctl", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bundle, err := evidence.Load(bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := bundle.Verify(trust, want); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(format+"/go-tpm-tools", func(b *testing.B) {
			decode := proto.Unmarshal
			if format == "attestation-textproto" {
				decode = prototext.Unmarshal
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := verifyEveryBank(data, decode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// verifyEveryBank decodes the evidence and has go-tpm-tools verify each of its
// banks, since it looks at no more than one in a call.
func verifyEveryBank(data []byte, decode func([]byte, proto.Message) error) error {
	msg := new(attest.Attestation)
	if err := decode(data, msg); err != nil {
		return err
	}
	for _, q := range msg.GetQuotes() {
		_, err := server.VerifyAttestation(msg, server.VerifyOpts{
			Nonce:             []byte{0x90, 0x09},
			TrustedRootCerts:  server.GceEKRoots,
			IntermediateCerts: server.GceEKIntermediates,
			AllowSHA1:         true,
			Loader:            server.GRUB,
			HashAlgo:          tpm2.Algorithm(q.GetPcrs().GetHash()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkChain measures the certificate chain alone, by far the largest part.
func BenchmarkChain(b *testing.B) {
	cert, err := x509.ParseCertificate(decodeAny(b, encodings(b)["attestation-binarypb"]).GetAkCert())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := server.VerifyAKCert(cert, server.GceEKRoots, server.GceEKIntermediates); err != nil {
			b.Fatal(err)
		}
	}
}
