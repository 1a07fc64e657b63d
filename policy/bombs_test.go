package policy_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/policy"
)

// bombs are policies that would need more time or memory than there is. Each
// takes the part of a rule's body.
var bombs = map[string]string{
	"string doubling":        doubling(`concat("", [%s, %s])`),
	"sprintf doubling":       doubling(`sprintf("%%s%%s", [%s, %s])`),
	"replace":                `x := concat("", ["aaaaaaaaaaaaaaaa" | some _ in numbers.range(1, 40000)]); y := replace(x, "a", x); count(y) > 0`,
	"replace of itself":      doubling(`replace(%s, "a", %s)`),
	"separator":              `x := concat("aaaaaaaaaaaaaaaa", [sprintf("%d", [n]) | some n in numbers.range(1, 30000)]); y := concat(x, [sprintf("%d", [n]) | some n in numbers.range(1, 40000)]); count(y) > 0`,
	"width":                  `count(sprintf("%999999d%999999d", [1, 2])) > 0`,
	"width from an argument": `count(sprintf("%*d", [999999, 2])) > 0`,
	"range":                  `count(numbers.range(1, 1000000000)) > 0`,
	"range by step":          `count(numbers.range_step(1, 1000000000, 1)) > 0`,
	"shift":                  `bits.lsh(1, 4000000000) > 0`,
	"squares":                doublingFrom("99999999", `%s * %s`),
	"exponents":              doublingFrom("to_number(\"1e900\")", `%s * %s`),
	"number of a string":     `floor(to_number("1e999999999")) > 0`,
	"number of JSON":         `floor(json.unmarshal("1e999999999")) > 0`,
	"array doubling":         doublingFrom("[1]", `array.concat(%s, %s)`),
	"shared arrays printed":  sharing(`count(json.marshal(x40)) > 0`),
	"shared arrays as text":  sharing(`count(sprintf("%%v", [x40])) > 0`),
	"cross product":          `r := numbers.range(1, 10000); count([1 | some a in r; some b in r; a == b + 20000]) > 0`,
	"cross product kept":     `r := numbers.range(1, 10000); count([[a, b] | some a in r; some b in r]) > 0`,
	"cross product as a set": `r := numbers.range(1, 10000); count({[a, b] | some a in r; some b in r}) > 0`,
	"large strings kept":     `x := concat("", [sprintf("%10d", [n]) | some n in numbers.range(1, 40000)]); count([y | some n in numbers.range(1, 40000); y := concat("", [x, sprintf("%d", [n])])]) > 0`,
	"regular expression":     `x := concat("", [sprintf("%10d", [n]) | some n in numbers.range(1, 40000)]); regex.match("(x+x+)+y{1000}", x)`,
	"hex":                    doubling(`hex.encode(concat("", [%s, %s]))`),
	"shared arrays compared": twins(pair, `x40 == y40`),
	"shared arrays ordered":  twins(pair, `x40 < y40`),
	"shared arrays searched": twins(pair, `x40 in {y40}`),
	"shared arrays unified":  twins(pair, `x40 = y40`),
	"shared arrays matched":  twins(pair, `[x40, [x40]] = [y40, [y40]]`),
	"shared arrays in a set": twins(pair, `{x40, y40} != {1}`),
	"shared arrays negated":  twins(pair, `not x40 != y40`),
	"shared objects":         twins(`object.union({"a": %s}, {"b": %s})`, `x40 == y40`),
	"shared sets":            twins(`{[1, %s]} | {[2, %s]}`, `x40 == y40`),
	"subset":                 twins(pair, `object.subset(x40, y40)`),
	"arrays of a function":   twins(`data.functions.twice(%s)`, `x40 == y40`),
	"arrays of a helper":     twins(`[z | some _ in [1, 2]; z := %s]`, `x40 == y40`),
	"sets of a helper":       twins(`{[i, z] | some i in [1, 2]; z := %s}`, `x40 == y40`),
	"objects of a helper":    twins(`{i: z | some i in ["a", "b"]; z := %s}`, `x40 == y40`),
	"object doubling":        doublingFrom(`{"a": 1}`, `object.union(%s, {sprintf("%%v%%v", [n, %s]): 1 | some n in [1, 2]})`),
	"objects of new keys":    doublingFrom(`{"1": 1}`, `object.union({concat("", [k, "0"]): 1 | some k, _ in %s}, {concat("", [k, "1"]): 1 | some k, _ in %s})`, `count(x40) > 0`),
	"arrays reversed":        `r := numbers.range(1, 40000); count([y | some n in r; y := array.reverse(r)]) > 0`,
	"arrays sliced":          `r := numbers.range(1, 40000); count([y | some n in r; y := array.slice(r, n, 40000)]) > 0`,
	"objects filtered":       `o := {sprintf("%d", [n]): n | some n in numbers.range(1, 20000)}; count([y | some n in numbers.range(1, 20000); y := object.remove(o, [sprintf("%d", [n])])]) > 0`,
	"prefixes":               `x := [sprintf("%d", [n]) | some n in numbers.range(1, 20000)]; y := [sprintf("x%d", [n]) | some n in numbers.range(1, 20000)]; not strings.any_prefix_match(x, y)`,
	"quoting":                doublingFrom(`"***"`, `concat("", [glob.quote_meta(%s), ""]); count(%s) > 0`),
	"every position":         doublingFrom(`"aaaaaaaa"`, `concat("", [%s, %s]); count(indexof_n(%s, "a")) > 0`),
	"rules that share":       `data.chain.a.r33 == data.chain.b.r33`,
	"members that share":     `p := data.members.big; q := data.members.big; count([1 | some x in p; some y in q; x == y]) > 4000000`,
	"packages as arguments":  `data.functions.same(data.levels.a24) == data.functions.same(data.levels.b24)`,
	"numbers of one hash":    `x := json.unmarshal(concat("", ["[", concat(",", [sprintf("0.%d", [n]) | some n in numbers.range(10000, 19999)]), "]"])); count(object.remove({"q": 1}, x)) > 0`,
	"a long expression":      `p := concat("", ["a" | some _ in numbers.range(1, 3000)]); not regex.match(sprintf("(%s){1000}", [p]), "b")`,
	"searching":              `x := concat("", ["é" | some _ in numbers.range(1, 40000)]); indexof(x, concat("", [x, "a"])) == -1`,
	"equal over and over":    `x := {sprintf("%d", [n]): n | some n in numbers.range(1, 6000)}; y := object.union(x, {}); ` + strings.Repeat(`x == y; `, 400) + `count([1 | some a in x; some b in x; a + b == 20000]) > 0`,
	"product":                `product([n | some n in numbers.range(1, 40000)]) > 0`,
}

// twins makes two values in the same way.
func twins(call, end string) string {
	x := doublingFrom("input.request", call, end)
	y := strings.ReplaceAll(doublingFrom("input.request", call, "true"), "x", "y")
	return y + "\n" + x
}

// bombModules are what some of the bombs call.
func bombModules() []string {
	chain := func(name, rule string) string {
		b := strings.Builder{}
		fmt.Fprintf(&b, "package %s\n\nr0 := input.request\n\n", name)
		for i := range 33 {
			fmt.Fprintf(&b, rule+"\n\n", i+1, i)
		}
		return b.String()
	}
	return []string{
		"lib/a.rego", chain("chain.a", "r%d := array.concat([r%[2]d], [r%[2]d])"),
		"lib/b.rego", chain("chain.b", "r%d := array.concat([r%[2]d], [r%[2]d])"),
		"lib/m.rego", "package members\n\nbig contains [n, r] if {\n\tr := numbers.range(1, 20000)\n\tsome n in r\n}\n",
		"lib/f.rego", "package functions\n\ntwice(x) := [x, x]\n\nsame(x) := x\n",
		"lib/l.rego", levels(),
	}
}

// levels are packages of which each has the one below as two of its values.
func levels() string {
	b := strings.Builder{}
	b.WriteString("package levels\n\na0.r := input.request\n\nb0.r := input.request\n\n")
	for i := range 24 {
		for _, x := range []string{"a", "b"} {
			fmt.Fprintf(&b, "%s%d.r0 := data.functions.same(data.levels.%[1]s%[3]d)\n\n%[1]s%[2]d.r1 := data.functions.same(data.levels.%[1]s%[3]d)\n\n", x, i+1, i)
		}
	}
	return b.String()
}

func doubling(call string) string { return doublingFrom(`"aaaaaaaaaaaaaaaa"`, call) }

// pair makes an array of two that the compiler knows no type of.
const pair = `array.concat([%s], [%s])`

func sharing(end string) string { return doublingFrom("input.request", pair, end) }

func doublingFrom(start, call string, end ...string) string {
	b := strings.Builder{}
	fmt.Fprintf(&b, "x0 := %s\n", start)
	for i := range 40 {
		x := fmt.Sprintf("x%d", i)
		made := strings.ReplaceAll(strings.ReplaceAll(call, "%s", x), "%%", "%")
		fmt.Fprintf(&b, "x%d := %s\n", i+1, made)
	}
	if len(end) == 0 {
		end = []string{"x40 != 7"}
	}
	b.WriteString(strings.ReplaceAll(end[0], "%%", "%"))
	return b.String()
}

// stopped are the codes of what was not let happen. The last is OPA's own
// refusal of numbers that it cannot hold.
var stopped = []string{policy.CodeMemory, policy.CodeTimeout, policy.CodeBuiltinError}

// A bomb denies for its time or its memory, and the heap stays small. The
// deadline is long here: a slow machine must not turn one into the other.
func TestBombs(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		body := bombs[name]
		for form, text := range map[string]string{
			"deny":  sev + "\ndeny contains \"boom\" if {\n" + body + "\n}\n",
			"allow": head + "allow if {\n" + body + "\n}\n",
		} {
			if testing.Short() && form == "allow" {
				continue
			}
			p, err := policy.Compile(source(t, append(bombModules(), "p.rego", text)...))
			if err != nil && strings.Contains(err.Error(), "a type without end") {
				continue // and TestCompileBombs looks at these
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e := engine(t, p, policy.Limits{Deadline: time.Second})
			in := input(t, strings.Replace(claimsSEV, `"checks"`, `"request":{"x":1},"checks"`, 1))
			before := heap()
			d, err := e.Decide(t.Context(), in)
			grown := int64(heap()) - int64(before)
			if err != nil || d.Allow || len(d.Reasons) != 1 || !slices.Contains(stopped, d.Reasons[0].Code) {
				t.Errorf("%s in %s: %+v, %v; want a denial for time or memory", name, form, d, err)
				continue
			}
			if grown > 512<<20 {
				t.Errorf("%s in %s: made %d MiB", name, form, grown>>20)
			}
			t.Logf("%-25s %-6s %4d MiB  %s %.60s", name, form, grown>>20, d.Reasons[0].Code, d.Detail)
		}
	}
}

// What evaluates a policy otherwise has bounds too: of time, which a test cannot
// tell from a slow machine, and of memory.
func TestBombsElsewhere(t *testing.T) {
	in := input(t, strings.Replace(claimsSEV, `"checks"`, `"request":{"x":1},"checks"`, 1))
	for _, name := range []string{
		"arrays of a helper", "cross product kept", "members that share", "objects of new keys", "rules that share", "shared arrays compared",
	} {
		body := "{\n" + bombs[name] + "\n}\n"
		p := compiled(t, append(bombModules(), "p.rego", head+"allow if "+body+"\ndeny contains \"x\" if "+body,
			"p_test.rego", "package attest_test\n\ntest_bomb if "+body)...)
		before := heap()
		x, err := p.Explain(t.Context(), in, nil)
		if err != nil || x.Decision.Allow {
			t.Errorf("%s: Explain = %+v, %v", name, x, err)
		}
		if _, err := p.Conditions(t.Context()); err != nil {
			t.Errorf("%s: Conditions: %v", name, err)
		}
		results, err := p.RunTests(t.Context(), policy.TestOptions{Timeout: time.Second})
		if err != nil || len(results) != 1 || results[0].Status == policy.TestPass {
			t.Errorf("%s: RunTests = %+v, %v", name, results, err)
		}
		if grown := (heap() - before) >> 20; grown > 2048 {
			t.Errorf("%s: made %d MiB", name, grown)
		}
	}
}

// heap returns how many bytes were ever allocated.
func heap() uint64 {
	m := runtime.MemStats{}
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// OPA compares types without end where arrays hold each other twice, over and
// over, and recurses into every else: such policies are refused, not compiled.
func TestCompileBombs(t *testing.T) {
	nested := strings.Repeat("[", 30) + "1" + strings.Repeat("]", 30)
	elses := "allow if input.format == \"a\"" + strings.Repeat(" else := false if input.format == \"a\"", 3000) + "\n"
	for name, tc := range map[string]struct{ text, want string }{
		"arrays twice":     {"allow if {\n" + twins(`[%s, %s]`, "x40 == y40") + "\n}\n", "a type without end"},
		"arrays once":      {"allow if {\n" + twins(`[%s]`, "x40 == y40") + "\n}\n", "a type without end"},
		"objects":          {"allow if {\n" + twins(`{"a": %s}`, "x40 == y40") + "\n}\n", "a type without end"},
		"sets of arrays":   {"allow if {\n" + twins(`{[i, z] | some i in [1, 2]; z := %s}`, "x40 == y40") + "\n}\n", "a type without end"},
		"written out":      {"allow if {\nx := " + nested + "\ny := " + nested + "\nx == y\n}\n", "a type without end"},
		"rule after rule":  {chainOfRules("x") + chainOfRules("y") + "allow if x30 == y30\n", "a type without end"},
		"packages":         {"allow if data.attest == [data.attest, data.attest]\n", "recursive"},
		"clauses of else":  {elses, "more than 2048 rules"},
		"a legitimate one": {"allow if {\nx := [[{\"a\": [input.hwmodel, input.swname]}], [input.format]]\nx == [[{\"a\": [\"a\", \"b\"]}], [\"c\"]]\n}\n", ""},
	} {
		_, err := policy.Compile(source(t, "p.rego", head+tc.text))
		if tc.want == "" && err == nil {
			continue
		}
		wantError(t, name, err, tc.want)
	}
}

func chainOfRules(name string) string {
	b := strings.Builder{}
	fmt.Fprintf(&b, "%s0 := input.request\n\n", name)
	for i := range 30 {
		fmt.Fprintf(&b, "%s%d := [%[1]s%[3]d, %[1]s%[3]d]\n\n", name, i+1, i)
	}
	return b.String()
}
