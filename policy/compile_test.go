package policy_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attestctl/attestctl/policy"
)

// compileError compiles a policy that must be refused.
func compileError(t *testing.T, pairs ...string) error {
	t.Helper()
	_, err := policy.Compile(source(t, pairs...))
	return err
}

func TestCompileRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		words      []string
	}{
		{"empty", "", []string{"p.rego: empty module"}},
		{"truncated", sev[:len(sev)-5], []string{"p.rego:5:27"}},
		{"v0 rule", head + "allow { true }", []string{"p.rego:5:1: `if` keyword is required", "--v0-v1"}},
		{"v0 set", head + "allow if true\ndeny[x] { x := 1 }", []string{"p.rego:6:1", "`if` keyword is required"}},
		{"v2 import", "package attest\nimport rego.v2\ndefault allow := false\nallow if true", []string{"p.rego:2:8"}},
		{"another package", "package other\ndefault allow := false\nallow if true", []string{"no module is in package attest"}},
		{"package attest.sub", "package attest.sub\ndefault allow := false\nallow if true", []string{"no module is in package attest"}},
		{"package of the library", "package attestctl.entry\ndecision := 1", []string{"p.rego:1:1: package attestctl.entry is reserved"}},
		{"package of the config", "package config\nx := 1", []string{"reserved"}},
		{"package below the config", "package config.x\nx := 1", []string{"reserved"}},
		{"package in brackets", "package config[\"a b\"]\nx := 1", []string{"reserved"}},
		{"package system", "package system.log\nx := 1", []string{"reserved"}},

		{"no allow", "package attest\nx := 1", []string{"no rule allow", "default allow := false"}},
		{"allowed", "package attest\ndefault allowed := false\nallowed if true", []string{"p.rego:2:1: allowed decides nothing: did you mean allow?"}},
		{"Allow", "package attest\ndefault Allow := false\nAllow if true", []string{"did you mean allow?"}},
		{"alow", "package attest\nalow if true", []string{"did you mean allow?"}},
		{"denied", sev + "denied contains \"x\" if true", []string{"p.rego:6:1: denied decides nothing: did you mean deny?"}},
		{"violation", sev + "violation contains \"x\" if true", []string{"did you mean deny?"}},
		{"no default", "package attest\nallow if true", []string{"p.rego:2:1: allow has no default"}},
		{"default true", "package attest\ndefault allow := true\nallow if true", []string{"the default of allow is true, not false"}},
		{"default null", "package attest\ndefault allow := null\nallow if true", []string{"the default of allow is null"}},
		{"two defaults", head + "default allow := false\nallow if true", []string{"second default"}},
		{"default alone", head, []string{"allow is always false"}},
		{"allow is a number", head + "allow := 1", []string{"allow is not always a boolean: it is any<boolean, number>"}},
		{"allow is a string", head + "allow := \"true\"", []string{"not always a boolean"}},
		{"allow is an object", head + "allow := {\"x\": true}", []string{"not always a boolean"}},
		{"allow is what the config says", head + "allow := data.config.x", []string{"not always a boolean"}},
		{"allow is what the caller asks", head + "allow := input.request.allow", []string{"not always a boolean"}},
		{"allow is a set", head + "allow contains true", []string{"allow is not a plain rule"}},
		{"allow is a function", head + "allow(x) if x", []string{"allow is not a plain rule"}},
		{"allow is a map", head + "allow[\"x\"] := true", []string{"allow is not a plain rule"}},
		{"allow has parts", head + "allow.x := true", []string{"allow is not a plain rule"}},
		{"else number", head + "allow if { input.secboot } else := 7", []string{"not always a boolean"}},
		{"deny is a boolean", sev + "deny if true", []string{"p.rego:6:1: deny is not a set of reasons"}},
		{"deny is a list", sev + "deny := [\"x\"]", []string{"deny is not a set of reasons"}},
		{"deny is a map", sev + "deny[\"x\"] := 1", []string{"deny is not a set of reasons"}},
		{"deny is a function", sev + "deny(x) := x", []string{"deny is not a set of reasons"}},
		{"deny has numbers", sev + "deny contains 7", []string{"deny has members of type number"}},
		{"deny has other objects", sev + "deny contains {\"id\": \"x\", \"msg\": \"y\"}", []string{"deny has members of type"}},
		{"deny has more", sev + "deny contains {\"code\": \"x\", \"msg\": \"y\", \"z\": 1}", []string{"deny has members of type"}},
		{"deny lacks msg", sev + "deny contains {\"code\": \"x\"}", []string{"deny has members of type"}},

		{"misspelt claim", head + "allow if input.az_snp_vtpm", []string{"p.rego:5:10: input.az_snp_vtpm: no evidence has such a claim"}},
		{"nearly a claim", head + "allow if input.tpm.ak.trsut == \"certificate\"", []string{"did you mean input.tpm.ak.trust?"}},
		{"misspelt below not", head + "allow if not input.boot.secure_boot.enabeld", []string{"did you mean input.boot.secure_boot.enabled?"}},
		{"misspelt in brackets", head + "allow if input[\"hwmodle\"] == \"x\"", []string{"did you mean input.hwmodel?"}},
		{"misspelt in a variable", head + "allow if { x := input.tpm; x.akk }", []string{"no", "x.akk"}},
		{"wrong type", head + "allow if input.hwmodel == 3", []string{"match error"}},
		{"wrong type of a call", head + "allow if startswith(input.verified_at, \"x\")", []string{"startswith: invalid argument"}},
		{"schema in a comment", "package attest\n\n# METADATA\n# schemas:\n#   - input: {type: object}\ndefault allow := false\n\nallow if input.foo\n", []string{"input.foo"}},

		{"other data", head + "allow if data.foo.bar", []string{"data.foo.bar: no rule of that name exists"}},
		{"all of data", head + "allow if data == {}", []string{"data as a whole"}},
		{"data by a variable", head + "allow if { some k; data[k] }", []string{"by a name that is not fixed"}},
		{"data by a claim", head + "allow if data[input.format]", []string{"by a name that is not fixed"}},
		{"imported data", "package attest\nimport data.foo\ndefault allow := false\nallow if foo.bar", []string{"data.foo.bar: no rule"}},
		{"misspelt rule", head + "ok if true\nallow if data.attest.okk", []string{"did you mean data.attest.ok?"}},
		{"misspelt rule of a package", head + "allow if data.attestctl.entry.decisions", []string{"did you mean data.attestctl.entry.decision?"}},
		{"the entrypoint itself", head + "allow if data.attestctl.entry.decision", []string{"recursive"}},
		{"recursion", head + "p if q\nallow if p\nq if p", []string{"recursive"}},
		{"with input", head + "allow if x with input as {}\nx if true", []string{"p.rego:5:12: with input as {}", "*_test.rego"}},
		{"with data", head + "allow if x with data.config.a as 1\nx if true", []string{"with data.config.a as 1"}},
		{"with a function", head + "allow if x with count as 1\nx if true", []string{"with count as 1"}},
		{"with in a comprehension", head + "allow if count([1 | x with input as {}]) > 0\nx if true", []string{"with input as {}"}},
		{"rule input", head + "input := {}\nallow if true", []string{"shadow input"}},
		{"rule data", head + "data := {}\nallow if true", []string{"shadow data"}},
		{"variable input", head + "allow if { input := {\"a\": 1}; input.a }", []string{"shadow input"}},
		{"argument input", head + "f(input) := 1\nallow if f(1)", []string{"input"}},
		{"import as input", "package attest\nimport data.config as input\ndefault allow := false\nallow if input.x", []string{"input"}},
		{"unused import", "package attest\nimport data.config\ndefault allow := false\nallow if true", []string{"unused"}},
		{"unused variable", head + "allow if { x := 1 }", []string{"unused"}},
		{"unsafe variable", head + "allow if x", []string{"p.rego:5:10: var x is unsafe"}},
		{"unknown function", head + "allow if nothing.of(1)", []string{"undefined function nothing.of"}},
		{"guarded twin by name", head + "allow if guard.concat(\"\", []) == \"\"", []string{"guard.concat: not a function"}},
		{"template string", head + "allow if $\"{input.format}\" == \"x\"", []string{"template strings are not supported", "sprintf"}},
		{"number bomb", head + "allow if floor(1e999999999) > 0", []string{"number too big"}},
		{"number of many digits", head + "allow if " + strings.Repeat("9", 1025) + " > 0", []string{"the number 9999"}},
		{"deep brackets", head + "allow if " + strings.Repeat("[", 60) + strings.Repeat("]", 59), []string{"p.rego"}},
		{"many rules", head + strings.Repeat("allow if true\n", 10_000), []string{"more than 2048 rules"}},
	} {
		wantError(t, tc.name, compileError(t, "p.rego", tc.text), tc.words...)
	}
}

func TestCompileRefusesModules(t *testing.T) {
	for _, tc := range []struct {
		name, second string
		words        []string
	}{
		{"adds allow", "package attest\nallow if true", []string{"q.rego:2:1: allow stands in p.rego too"}},
		{"adds allow by reference", "package attest\nallow.x := true", []string{"allow stands in p.rego too"}},
		{"adds a default", "package attest\ndefault allow := false", []string{"allow stands in p.rego too"}},
		{"denies elsewhere", "package attest.boot\n\ndeny contains \"no\" if true", []string{"q.rego:3:1: deny of package attest.boot decides nothing"}},
		{"allows elsewhere", "package other\n\nallow if true", []string{"allow of package other decides nothing"}},
		{"hides allow", "package attest.allow\nx := true", []string{"conflict"}},
		{"syntax error", "package attest\nallow if {", []string{"q.rego:2"}},
	} {
		wantError(t, tc.name, compileError(t, "p.rego", sev, "q.rego", tc.second), tc.words...)
	}
	if d := decide(t, claimsSEV, "p.rego", sev, "q.rego", "package attest\n\ndeny contains \"no\" if true\n"); d.Allow || len(d.Reasons) != 1 {
		t.Errorf("a second module that denies: %+v", d)
	}
}

// Every builtin function of OPA is either allowed or refused with advice.
func TestCompileRefusesFunctions(t *testing.T) {
	allowed := policy.AllowedBuiltins()
	refused := 0
	for _, b := range ast.Builtins {
		if slices.Contains(allowed, b.Name) {
			continue
		}
		refused++
		for form, text := range map[string]string{
			"statement":     "allow if %s(1)",
			"value":         "allow if { x := [y | y := %s(1)]; count(x) > 0 }",
			"argument":      "allow if count(%s(1)) > 0",
			"negated":       "allow if not %s(1)",
			"head":          "f(x) := %s(x)\nallow if f(1)",
			"else":          "allow if { false } else := %s(1)",
			"every":         "allow if every x in [1] { %s(x) }",
			"deny":          "deny contains %s(1)\nallow if true",
			"in a reason":   "deny contains {\"code\": \"x\", \"msg\": %s(1)}\nallow if true",
			"a default too": "default f(_) := false\nf(x) := %s(x)\nallow if f(1)",
		} {
			wantError(t, b.Name+" as "+form, compileError(t, "p.rego", head+fmt.Sprintf(text, b.Name)), b.Name+": not a function that a policy may call", "hint: ")
		}
	}
	for _, name := range []string{"http.send", "opa.runtime", "net.lookup_ip_addr", "rand.intn", "uuid.rfc4122", "time.now_ns", "trace", "rego.parse_module", "io.jwt.decode"} {
		if slices.Contains(allowed, name) {
			t.Errorf("%s is allowed", name)
		}
	}
	if refused < 80 {
		t.Errorf("only %d functions are refused", refused)
	}
	for _, name := range allowed {
		if ast.BuiltinMap[name] == nil {
			t.Errorf("%s is allowed but does not exist", name)
		}
	}
}

func TestCompileAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"sev":                 sev,
		"allow in two rules":  head + "allow if input.hwmodel == \"A\"\n\nallow if input.secboot\n",
		"allow by comparison": head + "allow := input.hwmodel == \"A\"\n",
		"else":                head + "allow if { input.secboot } else := false\n",
		"a helper of a name":  head + "allowed := {\"A\"}\n\nallow if input.hwmodel in allowed\n",
		"reasons of two kinds": sev + "deny contains \"x\" if input.format == \"y\"\n\n" +
			"deny contains {\"code\": \"x\", \"msg\": sprintf(\"%s\", [input.format])} if input.secboot\n",
		"own package":    head + "allow if data.attest.x\n\nx if input.secboot\n",
		"config":         head + "allow if { input.hwmodel == data.config.a.b; data.config.list[_] == input.format }\n",
		"request":        head + "allow if input.request.secret.name == \"x\"\n",
		"checks":         head + "allow if input.checks[\"tpm.ak.chain\"] == \"pass\"\n",
		"pcrs":           head + "allow if input.tpm.pcrs.sha256[\"0\"] == \"x\"\n",
		"print":          head + "allow if { print(input); input.secboot }\n",
		"rego.v1 import": "package attest\n\nimport rego.v1\n\ndefault allow := false\n\nallow if input.secboot\n",
	} {
		if _, err := policy.Compile(source(t, "p.rego", text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A CompileError lists every problem with its place, in order.
func TestCompileErrorListsAll(t *testing.T) {
	err := compileError(t, "p.rego", head+"allow if input.secboot\n\nx := http.send({})\n\ny if true with input as 1\n")
	var e *policy.CompileError
	if !errors.As(err, &e) || len(e.Problems) != 2 {
		t.Fatalf("got %v, want two problems", err)
	}
	if p := e.Problems[0]; p.File != "p.rego" || p.Line != 7 || p.Column != 6 || p.Hint == "" {
		t.Errorf("first problem %+v, want it at p.rego:7:6 with a hint", p)
	}
	if e.Problems[1].Line != 9 {
		t.Errorf("second problem %+v, want it in line 9", e.Problems[1])
	}
}

func TestCompileNothing(t *testing.T) {
	for _, s := range []*policy.Source{nil, {}} {
		if p, err := policy.Compile(s); err == nil || p != nil {
			t.Errorf("Compile(%v) = %v, %v", s, p, err)
		}
	}
}

// The embedded schema is the published one.
func TestSchemaIsPublished(t *testing.T) {
	want, err := os.ReadFile("../docs/claims.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("claims.schema.json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("claims.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("policy/claims.schema.json is not docs/claims.schema.json: run go test ./policy -update")
	}
	if s, err := policy.Schema(); err != nil || !bytes.Contains(s, []byte(`"request"`)) {
		t.Errorf("Schema() = %s, %v; want a request in it", s, err)
	}
}
