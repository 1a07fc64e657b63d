package policy

import (
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/hint"
)

// TestCheckEnginesNames gives policies what one engine would refuse or decide
// differently. Each refusal names the construct, its place and a way round.
func TestCheckEnginesNames(t *testing.T) {
	const config = `{"list": ["a"], "map": {"k": "v", "1": "one"}}`
	for rules, want := range map[string]struct{ config, place, construct, wayRound string }{
		// Functions that the module cannot compute, or would compute differently.
		`deny contains "x" if crypto.md5("x") == "y"`:                                            {"", ":8", "crypto.md5", "crypto.sha256"},
		`deny contains "x" if io.jwt.decode("x")[0] == 1`:                                        {"", ":8", "io.jwt.decode", "input"},
		`deny contains "x" if units.parse_bytes("1K") == 1`:                                      {"", ":8", "units.parse_bytes", "write the number out"},
		`deny contains "x" if time.now_ns() > 1`:                                                 {"", ":8", "time.now_ns", "input.verified_at"},
		`deny contains "x" if graph.reachable({}, {}) == set()`:                                  {"", ":8", "graph.reachable", "attestctl policy check"},
		`deny contains $"{input.hwmodel}"`:                                                       {"", ":8", "template string", "sprintf"},
		`deny contains "x" if p.q.r` + "\np.q.r := 1 if p.q.s\np.q[x] := 2 if some x in [\"s\"]": {"", ":9", "data.attest.p.q", "a name of its own"},
		// The order of sets and objects.
		`deny contains "x" if [k | some k, _ in input.request][0] == "a"`: {"", ":8", "input.request", "sort("},
		`deny contains "x" if [x | some x in {"a", "b"}][0] == "a"`:       {"", ":8", "set", "sort("},
		`deny contains "x" if [p | walk(input, [p, _])][0] == []`:         {"", ":8", "walk", "sort("},
		`deny contains concat(",", [k | some k, _ in input.request])`:     {"", ":8", "input.request", "sort("},
		// Indexes, replaced input, numbers.
		`deny contains "x" if data.config.map[1]`:                     {config, ":8", "1 indexes data.config", "settings := data.config"},
		`deny contains "x" if data.config.x[1]`:                       {"", ":8", "1 indexes data.config", "settings := data.config"},
		`deny contains "x" if data.config.x[1].y`:                     {config, ":8", "1 indexes data.config", "settings := data.config"},
		`deny contains "x" if data.config.x[input.request.n]`:         {"", ":8", "indexes data.config", "settings := data.config"},
		`deny contains "x" if data.config.list["0"]`:                  {config, ":8", `"0" indexes data.config`, "settings := data.config"},
		`deny contains "x" if input.verified_at > 1 with input as {}`: {"", ":8", "with input as {}", "_test.rego"},
		`deny contains "x" if to_number("1e400") > 1`:                 {"", ":8", `to_number("1e400")`, "64 bits"},
		`deny contains "x" if not to_number("1_000")`:                 {"", ":8", `to_number("1_000")`, "64 bits"},
		`deny contains "x" if 1e400 > 1`:                              {"", ":8", "1e400", "64 bits"},
		`deny contains "x" if input.verified_at > 1.0`:                {"", ":8", "1.0", "64 bits"},
		`deny contains "x" if data.config.n > 1`:                      {`{"n": 18446744073709551616}`, "", "data.config: the number 18446744073709551616", "64 bits"},
	} {
		err := checkedEngines(t, rules, want.config)
		if err == nil {
			t.Errorf("%s: accepted", rules)
			continue
		}
		if !strings.HasPrefix(err.Error(), "attest.rego"+want.place) && want.place != "" {
			t.Errorf("%s: %v does not begin with the place", rules, err)
		}
		if !strings.Contains(err.Error(), want.construct) {
			t.Errorf("%s: %v does not name %s", rules, err, want.construct)
		}
		if !strings.Contains(hint.Of(err), want.wayRound) {
			t.Errorf("%s: hint %q, want %q in it", rules, hint.Of(err), want.wayRound)
		}
	}
}

// The ways round are accepted.
func TestCheckEnginesWaysRound(t *testing.T) {
	for _, rules := range []string{
		`settings := data.config` + "\n" + `deny contains "x" if settings.x[1]`,
		`deny contains "x" if { some i, x in data.config.x; x == "a"; i == 1 }`,
		`deny contains "x" if data.config.x[input.hwmodel]`,
		`deny contains "x" if to_number("400") == 400`,
		`deny contains "x" if to_number(input.request.n) == 400`,
		`deny contains "x" if p.q == 1` + "\np.q := 1 if input.secboot",
	} {
		if err := checkedEngines(t, rules, ""); err != nil {
			t.Errorf("%s: %v; hint: %s", rules, err, hint.Of(err))
		}
	}
}

func checkedEngines(t *testing.T, rules, config string) error {
	t.Helper()
	files := map[string]string{"attest.rego": "package attest\n\ndefault allow := false\n\nallow if is_object(input)\n\n# below\n" + rules}
	if config != "" {
		files["config.json"] = config
	}
	s, err := assemble("x", files)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(s)
	if err != nil {
		return err
	}
	return p.CheckEngines()
}
