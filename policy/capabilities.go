package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// allowed lists the builtin functions a policy may call: those that are
// functions of their arguments alone, on every machine, at every time, in both
// engines. A function of a newer OPA is refused until somebody adds it here.
var allowed = strings.Fields(`
	eq assign equal neq gt gte lt lte internal.member_2 internal.member_3
	plus minus mul div rem abs ceil floor round
	and or count sum product max min sort
	bits.and bits.or bits.xor bits.negate bits.lsh bits.rsh
	array.concat array.flatten array.slice array.reverse
	intersection union
	to_number format_int numbers.range numbers.range_step
	regex.is_valid regex.match regex.split regex.find_n regex.find_all_string_submatch_n
	glob.match glob.quote_meta
	concat contains startswith endswith indexof indexof_n lower upper replace split
	sprintf substring trim trim_left trim_right trim_prefix trim_suffix trim_space
	strings.any_prefix_match strings.any_suffix_match strings.count strings.reverse
	json.marshal json.unmarshal json.is_valid json.filter json.remove
	base64.encode base64.decode base64.is_valid base64url.encode base64url.encode_no_pad base64url.decode
	hex.encode hex.decode
	object.get object.keys object.remove object.filter object.subset object.union
	is_number is_string is_boolean is_array is_set is_object is_null type_name
	crypto.sha256
	net.cidr_contains net.cidr_intersects net.cidr_is_valid
	semver.is_valid semver.compare
	time.parse_rfc3339_ns time.parse_duration_ns
	walk rego.metadata.chain rego.metadata.rule
	print internal.print internal.test_case
`)

// waysRound says what to do instead of a function that is not allowed, by the
// beginning of its name.
var waysRound = []struct{ prefix, advice string }{
	{"http.send", "a policy is offline: what it must know stands in its config, as data.config"},
	{"net.lookup", "a policy is offline: what it must know stands in its config, as data.config"},
	{"net.", "compare with net.cidr_contains"},
	{"opa.runtime", "a policy sees nothing of its host: what it must know stands in its config, as data.config"},
	{"time.now_ns", "the clock of a policy is input.verified_at, in seconds"},
	{"time.", "functions that read time zones of the host differ between hosts: compare seconds with input.verified_at"},
	{"rand.", "a policy decides the same every time; nothing in it is random"},
	{"uuid.", "a policy decides the same every time; nothing in it is random"},
	{"io.jwt.", "attestctl verifies tokens before the policy runs: read their claims from input"},
	{"crypto.x509.", "attestctl verifies certificates before the policy runs: read input.tpm.ak.certificate"},
	{"crypto.", "crypto.sha256 is the digest of a policy"},
	{"json.match_schema", "the input has been checked against the claims schema already"},
	{"json.verify_schema", "the input has been checked against the claims schema already"},
	{"strings.replace_n", "call replace once for each pattern"},
	{"strings.render_template", "make the message with sprintf"},
	{"internal.template_string", "make the message with sprintf"},
	{"regex.", "match with regex.match, with an anchored pattern, or compare exactly"},
	{"yaml.", "write the config as YAML; attestctl decodes it"},
	{"units.", "write the number out"},
	{"trace", "use print in tests"},
	{guardPrefix, "call the function by its own name"},
}

const wayRoundDefault = "`attestctl policy check` lists the functions it allows; open an issue if a policy needs another"

// AllowedBuiltins lists the functions that a policy may call, sorted.
func AllowedBuiltins() []string { return slices.Sorted(slices.Values(allowed)) }

func wayRound(name string) string {
	for _, w := range waysRound {
		if strings.HasPrefix(name, w.prefix) {
			return w.advice
		}
	}
	return wayRoundDefault
}

// Capabilities returns what OPA may use of itself for a policy: the allowed
// functions and their guarded twins, Rego v1 and no network. Each call returns
// a new value.
func Capabilities() *ast.Capabilities {
	c := &ast.Capabilities{
		FutureKeywords: []string{},
		Features:       []string{ast.FeatureRegoV1},
		AllowNet:       []string{},
	}
	for _, b := range ast.Builtins {
		if !slices.Contains(allowed, b.Name) {
			continue
		}
		c.Builtins = append(c.Builtins, b)
		if _, ok := guards[b.Name]; ok {
			c.Builtins = append(c.Builtins, guardedDecl(b))
		}
	}
	c.Builtins = append(c.Builtins, holdDecl)
	return c
}
