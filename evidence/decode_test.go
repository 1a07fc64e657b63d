package evidence_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// decodeAny decodes an attestation with the libraries alone.
func decodeAny(tb testing.TB, data []byte) *attest.Attestation {
	tb.Helper()
	a := new(attest.Attestation)
	if err := proto.Unmarshal(data, a); err == nil {
		return a
	}
	a = new(attest.Attestation)
	if err := prototext.Unmarshal(data, a); err != nil {
		tb.Fatal(err)
	}
	return a
}

// toJSON encodes v for a comparison.
func toJSON(tb testing.TB, v any) string {
	tb.Helper()
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

// leaves flattens a document into its paths and their values as text.
func leaves(tb testing.TB, v any) map[string]string {
	tb.Helper()
	var doc any
	if err := json.Unmarshal([]byte(toJSON(tb, v)), &doc); err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	var walk func(string, any)
	walk = func(p string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(strings.TrimPrefix(p+"."+k, "."), e)
			}
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s.%d", p, i), e)
			}
		default:
			out[p] = fmt.Sprint(v)
		}
	}
	walk("", doc)
	return out
}
