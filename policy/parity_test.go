package policy

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// expressions are those of OPA.md 2.3 and their kin: what OPA's own WebAssembly
// target refuses, or answers differently from its interpreter. r is
// input.request, c is data.config.
var expressions = strings.Split(strings.TrimSpace(`
replace(r.s, "", "-")
replace("aaa", "a", "bb")
replace(r.ctl, "\u0001", "x")
glob.match("(a)", [], "a")
glob.match("a+(b)", [], "a+(b)")
glob.match("^a$", [], "a")
glob.match("a$b", [], "a$b")
glob.match("{a", [], "a")
glob.match("*.b", ["."], r.s)
glob.quote_meta(r.s)
base64.decode("YQ")
base64.decode("YQ=")
base64.decode("YQ==")
base64.decode(" YQ==")
base64.decode("YQ==YQ==")
base64.decode("/w==")
base64.is_valid("")
base64.is_valid("YQ")
base64url.decode("YQ")
base64.encode(r.ctl)
base64url.encode_no_pad(r.s)
hex.decode("ff00")
hex.encode(r.ctl)
json.unmarshal("1 2")
json.unmarshal("[1,]")
json.unmarshal("[1 2]")
json.unmarshal("{}//c")
json.unmarshal("01")
json.unmarshal("{1:2}")
json.unmarshal("1e400")
json.unmarshal("1.5")
json.unmarshal(r.json)
json.is_valid("[1,]")
json.marshal(r)
json.marshal({"b": 1, "a": "<&>"})
json.filter(r, ["/n", "/list/0"])
json.remove(r, ["n"])
crypto.sha256(json.marshal(r))
regex.match("(?<a>x)", "x")
regex.match("\\C", "x")
regex.match("^[a-z]+$", r.s)
regex.match("^.$", r.smile)
regex.is_valid("(?<a>x)")
regex.is_valid("(?=x)")
regex.split("b+", "abbbc")
regex.find_n("[a-z]", r.s, -1)
regex.find_all_string_submatch_n("(a)(b)?", "abaa", -1)
1/3
2-1.9
7/2
r.n/3
r.n%3
r.n%0
r.n/0
r.max+1
r.max*r.max
r.min-1
r.n*1.0
floor(1.5)
ceil(r.n/7)
round(2.5)
floor(100000000000000000000)
abs(r.min)
sum([1, 2.5, r.n])
sum([r.max, r.max])
product([r.n, 3])
max([r.n, r.s])
min([r.n, r.s])
max(r.list)
sort(r.list)
sort([3, 1, 2, "a", null, {}])
format_int(r.n, 16)
format_int(r.max, 16)
format_int(9223372036854775808, 16)
format_int(18446744073709551616, 2)
to_number("1_000")
to_number("1e400")
to_number(" 1")
to_number("18446744073709551615")
to_number("0x10")
to_number("18446744073709551615") == 18446744073709551615
to_number(r.digits)
to_number("1.0") == 1
to_number(r.digits) < 9007199254740993
to_number(null)
bits.lsh(1, 70)
bits.and(r.n, 12)
bits.negate(r.n)
numbers.range(1, 5)
numbers.range(5, 1)
numbers.range_step(1, 9, 3)
concat(",", {"b", "a", "c"})
concat(",", r.strings)
concat(",", [1])
sprintf("%d %v %s %q", [r.n, r.list, r.s, r.ctl])
sprintf("%d", ["x"])
sprintf("%v", [{"b", "a"}])
sprintf("%d", [18446744073709551616])
lower(r.upper)
upper(r.s)
upper("straße")
lower("İ")
trim(r.ctl, "\u0001")
trim_left("ééa", "é")
trim_right("aéé", "é")
trim_space("\u00a0 a\u2003")
trim_prefix(r.s, "a")
trim_suffix(r.s, "c")
strings.reverse(r.smile)
strings.reverse("é")
strings.count(r.s, "b")
strings.count(r.s, "")
strings.any_prefix_match(r.s, ["x", "a"])
strings.any_suffix_match(r.strings, {"x", "c"})
split(r.s, "")
split(r.s, "b")
split("", "x")
substring(r.smile, 0, 1)
substring(r.s, -1, 2)
substring(r.s, 1, -1)
substring(r.s, 9, 1)
indexof(r.smile, "b")
indexof_n(r.s, "b")
indexof("", "")
contains(r.s, "")
contains(r.ctl, "\u0000")
startswith(r.ctl, "\u0001")
startswith(r.n, "a")
endswith(r.s, r.nul)
endswith(r.missing, "x")
contains("a\u0000b", "\u0000b")
count("a\u0000b")
"a\u0000b" == r.nulb
count(r.smile)
count(r.s)
count(r)
count(r.list)
count({"a", "b"})
count(r.n)
count(null)
{"a": 1, "a": r.n}
{x: 1 | some x in r.strings}
{"k": v | some v in r.list}
x = {"k": v | some v in r.list}
_ = {"k": v | some v in r.list}
{"k": v | some v in r.list} == {"k": 3}
count({"k": v | some v in r.list})
object.get(r, "n", 0)
object.get(r, "zz", "default")
object.get(r, ["deep", "x", "y"], "default")
object.get(r, ["list", 0], "default")
object.get(r, ["list", "0"], "default")
object.get(r, [], "default")
object.get(r, ["s", "x"], "default")
object.get(r.n, "a", "default")
object.get({1: "one"}, 1, "default")
object.get({"1": "one"}, 1, "default")
object.get(r, null, "default")
object.get(r, "false", true)
object.keys(r)
object.remove(r, ["n", "zz"])
object.filter(r, {"n"})
object.union({"a": {"b": 1}}, {"a": {"c": 2}})
object.union(r.n, {})
object.subset(r, {"n": r.n})
array.concat(r.list, [r.n])
array.concat(r.n, [])
array.slice(r.list, 1, 9)
array.slice(r.list, -1, 1)
array.reverse(r.list)
array.flatten([[1, [2]], r.list])
{1, 2} & {2, 3}
{1, 2} | {r.n}
{1, 2} - {r.n}
{1, 2} - {1.0}
r.n - {1}
intersection({{1, 2}, {2}})
union({{1}, {r.n}})
net.cidr_contains("10.0.0.0/8", "10.1.2.3")
net.cidr_contains("10.0.0.0/8", r.s)
net.cidr_intersects("10.0.0.0/8", "10.1.0.0/16")
net.cidr_is_valid("::1/128")
semver.compare("1.2.3", "1.2.3-rc1")
semver.is_valid(r.s)
time.parse_rfc3339_ns("2026-01-01T00:00:00Z")
time.parse_rfc3339_ns("9999-01-01T00:00:00Z")
time.parse_duration_ns("1h")
type_name(r.list)
is_number(r.n)
is_string(r.missing)
r.n == 1.0
r.n == 7.0
r.n < "x"
[] >= 5
null < false
r.s < r.smile
"😀" > "\uFFFF"
r.list < [1]
{"a": 2} < {"a": 1, "b": 0}
{"b": 2} < {"a": 1, "c": 0}
{1, 2} < {3}
{1, 5} < {1, 4, 6}
r.max == 9223372036854775807
r.max < 9223372036854775808
r.min == -9223372036854775808
18446744073709551615 > 18446744073709551614
100000000000000000000000000001 > 100000000000000000000000000000
0.1 == 0.10
0.1 + 0.2 == 0.3
1e2 == 100
1e400 > 1
-0 == 0
-0.0 == 0
1 in {1.0}
1.0 in [1]
r.n in r.list
"k", 1 in {"k": 1}
(0, r.n in r.list)
{"1.0": 1}[1]
[10, 20][1.0]
[10, 20][r.n]
r.obj[1]
r.obj["1"]
r.list["0"]
r.list[0]
r.list[1.0]
c.obj[1]
c.obj["1"]
c.obj[r.one]
c.list["0"]
c.list[r.zero]
data.config.obj[1]
data.config.obj["1"]
data.config.list["0"]
data.config.list[0]
data.config.obj[r.one]
data.config.list[r.zero]
data.config.list[r.string_zero]
data.config["list"]
data.config
data.config.nested.a[r.list[0]]
[x | some x in {"c", "a", "b"}]
[x | some x in r.list]
[k | some k, _ in r.obj]
[x | some x in r]
[x | r.list[_] = x]
[x | walk(r, [_, x])]
sort([x | some x in {"c", "a", "b"}])
count([x | some x in {"c", "a"}])
[x | some x in sort({"c", "a", "b"})]
[i | some i, _ in [3, 4]]
[x | some x in numbers.range(1, 3)]
[x | some x in split(r.s, "b")]
{p | walk(r, [p, x]); is_number(x)}
{x | some x in r}
{k | some k, _ in r.obj}
rego.metadata.rule()
every x in r.list { x > 0 }
r["__proto__"]
r["été"]
r.emoji["😀"]
r.e0001
r.deep.x.y
r.missing.x
not r.missing
r.null
r.null.x
r.s.x
[r.s, r.n][_] == r.n
`), "\n")

// hostileRequest holds what expressions look at.
func hostileRequest() map[string]any {
	return map[string]any{
		"s": "abc", "n": 7, "max": int64(1<<63 - 1), "min": int64(-1 << 63), "list": []any{3, 1, 2}, "strings": []any{"x", "b", "a"},
		"ctl": "\x01\a\v\x7f\U000e0001\u2028\x00<&>\"\\", "smile": "\U0001F600ab\u0301", "upper": "ÀÉ\u0130ß", "nul": "\x00", "nulb": "a\x00b",
		"json": `{"a":[1,2,{"b":"\u0001"}]}`, "digits": "9007199254740993", "obj": map[string]any{"1": "one", "z": 1, "a": 2},
		"one": 1, "zero": 0, "string_zero": "0", "deep": map[string]any{"x": map[string]any{"y": "z"}}, "null": nil,
		"__proto__": "p", "été": "é", "emoji": map[string]any{"\U0001F600": 1}, "e0001": "\U000e0001", "false": false,
	}
}

const hostileConfig = `{"obj": {"1": "one"}, "list": ["zero", "first"], "nested": {"a": {"3": "three"}, "half": 0.5, "big": 123456789012345}}`

// TestParityExpressions evaluates every expression with both engines: as a value,
// as a condition and as a negated condition, of input itself and of rules. Each
// form that is not refused becomes a case of one policy; verified_at chooses it.
func TestParityExpressions(t *testing.T) {
	direct := regexp.MustCompile(`\b[rc]\b`)
	var cases []string
	for i, expression := range expressions {
		if testing.Short() && i%5 != 0 {
			continue
		}
		accepted := 0
		for _, spelled := range []string{expression, direct.ReplaceAllStringFunc(expression, inPlace)} {
			for _, form := range []string{
				`deny contains msg if { input.verified_at == CASE; x := EXPR; msg := sprintf("%v %v", [type_name(x), x]) }`,
				`deny contains "is" if { input.verified_at == CASE; EXPR }`,
				`deny contains "is not" if { input.verified_at == CASE; not EXPR }`,
			} {
				rule := strings.ReplaceAll(form, "EXPR", spelled)
				if err := acceptable(t, strings.ReplaceAll(rule, "CASE", "0")); err != nil {
					t.Logf("%s: %v", rule, err)
					continue
				}
				cases = append(cases, strings.ReplaceAll(rule, "CASE", strconv.Itoa(len(cases))))
				accepted++
			}
		}
		if accepted == 0 {
			t.Logf("refused in every form: %s", expression)
		}
	}
	p := policyOf(t, expressionHead+strings.Join(cases, "\n"), hostileConfig)
	reference, wasm := enginesOf(t, p, Limits{Deadline: 5 * time.Second})
	asked := &counting{Engine: wasm.reference}
	wasm.reference = asked
	requests := []any{
		hostileRequest(),
		map[string]any{"s": "", "n": 0, "list": map[string]any{"b": 1, "a": 2, "c": 3}, "obj": []any{1, 2}},
		map[string]any{"s": 1, "n": "7", "list": "abc", "strings": nil, "ctl": []any{}, "smile": map[string]any{}, "max": true},
		[]any{1, "x"},
		[]any{1.5},
		nil,
	}
	decisions := 0
	for n, rule := range cases {
		for i, request := range requests {
			in := inputOf(t, map[string]any{"verified_at": n, "request": request})
			got, want := decide(t, wasm, in), decide(t, reference, in)
			if decisions++; text(t, got) != text(t, want) {
				t.Errorf("%s: request %d:\nWASM    %s %s\ntopdown %s %s", rule, i, text(t, got), got.Detail, text(t, want), want.Detail)
			}
		}
	}
	t.Logf("%d expressions, %d forms, %d decisions, %d of them by the reference", len(expressions), len(cases), decisions, asked.n)
}

// counting counts the decisions of an engine.
type counting struct {
	Engine
	n int
}

func (c *counting) Decide(ctx context.Context, in Input) (Decision, error) {
	c.n++
	return c.Engine.Decide(ctx, in)
}

const expressionHead = "package attest\n\ndefault allow := false\n\nallow if is_object(input)\n\nr := input.request\n\nc := data.config\n\n"

func inPlace(name string) string {
	switch name {
	case "r":
		return "input.request"
	case "c":
		return "data.config"
	}
	return name
}

// acceptable says why a policy with a rule is refused, if it is.
func acceptable(t *testing.T, rule string) error {
	t.Helper()
	s, err := assemble("x", map[string]string{"attest.rego": expressionHead + rule, "config.json": hostileConfig})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(s)
	if err != nil {
		return err
	}
	return p.CheckParity()
}
