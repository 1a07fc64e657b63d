package token_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/attestctl/attestctl/evidence/token"
)

// The library's own verdict agrees wherever it speaks of the same thing, which
// is the signature. Where it accepts more, the difference is meant and listed.
func TestOracle(t *testing.T) {
	raw := good()
	part := strings.Split(string(raw), ".")
	key := &rsaKey().PublicKey
	claims, h := string(jsonOf(googleClaims())), string(jsonOf(header("RS256", nil)))
	signed := func(h, payload string) []byte { return mintRaw("RS256", rsaKey(), []byte(h), []byte(payload)) }
	flattened := jsonOf(object{"protected": part[0], "payload": part[1], "signature": part[2]})
	for _, c := range []struct {
		name         string
		raw          []byte
		oracle, ours bool
	}{
		{"good", raw, true, true},
		{"signed by another", mint("RS256", otherRSAKey(), header("RS256", nil), googleClaims()), false, false},
		{"signed with another algorithm", mint("PS384", rsaKey(), header("RS256", nil), googleClaims()), false, false},
		{"other payload", []byte(part[0] + "." + b64([]byte("{}")) + "." + part[2]), false, false},
		{"other header", []byte(b64(jsonOf(header("RS256", object{"typ": nil}))) + "." + part[1] + "." + part[2]), false, false},
		{"signature cut", raw[:len(raw)-4], false, false},
		{"four segments", append(bytes.Clone(raw), ".AAAA"...), false, false},

		// Intended differences, JW-20 to JW-26, JW-35 and JW-01.
		{"crit", signed(`{"crit":["x"],`+h[1:], claims), true, false},
		{"typ", signed(strings.Replace(h, "JWT", "at+jwt", 1), claims), true, false},
		{"alg twice", signed(`{"alg":"none",`+h[1:], claims), true, false},
		{"claim twice", signed(h, `{"aud":"x",`+claims[1:]), true, false},
		{"padding", append(bytes.Clone(raw), "=="...), true, false},
		{"trailing bits", trailingBits(raw), true, false},
		{"line end", append(bytes.Clone(raw), "\n\n"...), true, false},
		{"flattened json", flattened, true, false},
	} {
		_, err := jws.Verify(c.raw, jws.WithKey(jwa.RS256, key))
		if got := err == nil; got != c.oracle {
			t.Errorf("%s: the library accepts it: %t, want %t (%v)", c.name, got, c.oracle, err)
		}
		tok, err := token.Parse(c.raw)
		if err == nil {
			_, err = token.Verify(tok, googleWant(t))
		}
		if got := err == nil; got != c.ours {
			t.Errorf("%s: accepted: %t, want %t (%v)", c.name, got, c.ours, err)
		}
	}
}

// The genuine tokens, too.
func TestOracleCorpus(t *testing.T) {
	for _, c := range []struct {
		file string
		want token.Expect
		alg  jwa.SignatureAlgorithm
	}{
		{"synddb-token0.jwt", google(t, "https://synddb-sequencer.example.com", "", "2025-12-02T20:51:00Z"), jwa.RS256},
		{"ear-veraison-1.jwt", ear(earKey(t), date(t, "2022-10-18T11:10:00Z")), jwa.ES256},
	} {
		key := any(earKey(t).Public)
		if c.want.Keys.JWKS != nil {
			key = c.want.Keys.JWKS.Keys()[1].Public
		}
		payload, err := jws.Verify(bytes.TrimSpace(genuine(t, c.file)), jws.WithKey(c.alg, key))
		if err != nil {
			t.Fatal(err)
		}
		v, err := token.Verify(parse(t, genuine(t, c.file)), c.want)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(decodeJSON(t, payload))
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonOf(v.Raw()); !bytes.Equal(got, want) {
			t.Errorf("%s: claims are %s, the library's are %s", c.file, got, want)
		}
	}
}

// One file imports the library, one function calls it, and one step calls that:
// what Parse and the steps before refuse, the library does not see.
func TestLibraryIsFenced(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string][]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(gotoken.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range tree.Imports {
			if strings.Contains(im.Path.Value, "lestrrat") && f.Name() != "jws.go" {
				t.Errorf("%s imports %s", f.Name(), im.Path.Value)
			}
		}
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				countCalls(fn, calls)
			}
		}
	}
	for callee, want := range map[string]string{"jws.NewVerifier": "verifySignature", "verifySignature": "checkSignature"} {
		if got := strings.Join(calls[callee], " "); got != want {
			t.Errorf("%s is called by %q, want by %s once", callee, got, want)
		}
	}
	for callee := range calls {
		if strings.HasPrefix(callee, "jws.") && callee != "jws.NewVerifier" {
			t.Errorf("%s is called", callee)
		}
	}
}

func countCalls(fn *ast.FuncDecl, calls map[string][]string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := call.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			if pkg, ok := f.X.(*ast.Ident); ok {
				name = pkg.Name + "." + f.Sel.Name
			}
		}
		calls[name] = append(calls[name], fn.Name.Name)
		return true
	})
}
