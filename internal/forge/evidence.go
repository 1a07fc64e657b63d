package forge

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// Evidence is what a machine sends, together with what its verifier must know.
type Evidence struct {
	Attestation *attest.Attestation
	// AK is the key that signed the quotes, to be pinned.
	AK *AK
	// Root certifies the AK through the intermediate in the message; nil
	// where a verifier must trust the pinned AK alone.
	Root *x509.Certificate
	// Nonce is what the verifier asked for, and Now the time to verify at.
	Nonce []byte
	Now   time.Time
	// PCRs are the values in the TPM, whatever the message says.
	PCRs Banks
	// SNP or TDX is the hardware report as it was minted, if there is any.
	SNP *SNPReport
	TDX *TDXQuote
	// Raw is sent in the place of the message: a report, quote or token by itself,
	// an export of Cloud Logging.
	Raw []byte
	// Token is what the verifier of a token must expect, also of one in an export.
	Token *TokenDemand

	hardwareTrust, tokenTrust map[string][]byte
}

// Binary encodes the message as `gotpm attest --format binarypb` does, with
// the entries of maps in order. Evidence that is Raw is given as it is.
func (e *Evidence) Binary() ([]byte, error) {
	if e.Raw != nil {
		return e.Raw, nil
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Attestation)
	if err != nil {
		return nil, fmt.Errorf("encoding as protobuf: %w", err)
	}
	return out, nil
}

// Textproto encodes the message as `gotpm attest --format textproto` does.
// protobuf-go puts one or two spaces after a colon, by a coin flip for each
// build of the program: here it is always one.
func (e *Evidence) Textproto() ([]byte, error) {
	out, err := prototext.MarshalOptions{Multiline: true, EmitASCII: true}.Marshal(e.Attestation)
	if err != nil {
		return nil, fmt.Errorf("encoding as textproto: %w", err)
	}
	return regexp.MustCompile(`(?m)^( *[a-z_]+:) +`).ReplaceAll(out, []byte("$1 ")), nil
}

// ProtoJSON encodes the message as protojson, indented by two spaces.
func (e *Evidence) ProtoJSON() ([]byte, error) {
	raw, err := protojson.Marshal(e.Attestation)
	if err != nil {
		return nil, fmt.Errorf("encoding as protojson: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("indenting protojson: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
