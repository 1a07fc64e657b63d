package policy_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attestctl/attestctl/policy"
)

func TestDecide(t *testing.T) {
	const ok = "allow if input.hwmodel == \"GCP_AMD_SEV\"\n\n"
	for _, tc := range []struct {
		name, text string
		allow      bool
		want       string // reasons as "code msg", joined by "; "
	}{
		{"allow", sev, true, ""},
		{"not allowed", head + "allow if input.hwmodel == \"GCP_INTEL_TDX\"", false, "policy.not-allowed allow is false"},
		{"undefined claim", head + "allow if input.swname == \"GCE\"", false, "policy.not-allowed allow is false"},
		{"deny beats allow", head + ok + "deny contains \"no\" if true", false, "deny no"},
		{"empty deny", head + ok + "deny contains \"no\" if false", true, ""},
		{"reasons are sorted", head + ok + "deny contains {\"code\": \"b\", \"msg\": \"1\"}\n\ndeny contains \"z\"\n\ndeny contains {\"code\": \"a\", \"msg\": \"2\"}", false, "a 2; b 1; deny z"},
		{"reasons of one text", head + ok + "deny contains \"z\"\n\ndeny contains {\"code\": \"deny\", \"msg\": \"z\"}", false, "deny z"},
		{"both reasons", head + "allow if input.swname == \"GCE\"\n\ndeny contains \"z\"", false, "deny z"},
		{"control characters", head + ok + `deny contains "\u0001\u007f\n"`, false, "deny \u0001\u007f\n"},
		{"long message", head + ok + `deny contains "` + strings.Repeat("é", 3000) + `"`, false, "deny " + strings.Repeat("é", 2048) + "…"},
		{"long code", head + ok + `deny contains {"code": "` + strings.Repeat("c", 129) + `", "msg": ""}`, false, typeReason},
		{"empty code", head + ok + `deny contains {"code": "", "msg": "x"}`, false, typeReason},
		{"too many reasons", head + ok + `deny contains sprintf("%d", [n]) if some n in numbers.range(1, 257)`, false, typeReason},
		{"reason of a number", head + ok + `deny contains input.request.x`, false, typeReason},
		{"reason of a list", head + ok + `deny contains input.request.l`, false, typeReason},
		{"code of a number", head + ok + `deny contains {"code": input.request.x, "msg": "m"}`, false, typeReason},
		{"reason with more", head + ok + `deny contains object.union({"code": "c", "msg": "m"}, input.request.o)`, false, typeReason},
		{"one bad reason of two", head + ok + "deny contains input.request.x\n\ndeny contains \"z\"", false, typeReason},
		{"conflict in allow", head + ok + "allow := false if input.format == \"t\"", false, "policy.conflict a rule has two values"},
		{"conflict in a function", head + "allow if f(input.format) == 1\n\nf(x) := 1 if x != \"\"\n\nf(x) := 2 if x != \"a\"", false, "policy.conflict a rule has two values"},
		{"builtin error", head + ok + "deny contains \"x\" if to_number(input.format) > 3", false, "policy.builtin-error a builtin function failed"},
		{"division by zero", head + ok + "deny contains \"x\" if 1 / (input.verified_at - input.verified_at) > 3", false, "policy.builtin-error a builtin function failed"},
		{"type error at run time", head + ok + "deny contains \"x\" if startswith(input.request.x, \"a\")", false, "policy.builtin-error a builtin function failed"},
	} {
		claims := strings.Replace(claimsSEV, `"checks"`, `"request":{"x":7,"l":["a"],"o":{"z":1}},"checks"`, 1)
		claims = strings.Replace(claims, "tpm2-quote", "t", 1)
		d := decide(t, claims, "p.rego", tc.text)
		if got := reasons(d); d.Allow != tc.allow || got != tc.want {
			t.Errorf("%s: allow %t, reasons %q; want %t, %q (%s)", tc.name, d.Allow, got, tc.allow, tc.want, d.Detail)
		}
	}
}

const typeReason = "policy.type allow is not a boolean, or a member of deny is neither a string nor a code with a msg"

func reasons(d policy.Decision) string {
	list := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		list[i] = r.Code + " " + r.Msg
	}
	return strings.Join(list, "; ")
}

func TestDecideNoInput(t *testing.T) {
	d, err := engine(t, compiled(t, "p.rego", sev), policy.Limits{}).Decide(t.Context(), policy.Input{})
	if err != nil || d.Allow || d.Reasons[0].Code != policy.CodeInput {
		t.Errorf("Decide(no input) = %+v, %v", d, err)
	}
}

func TestDecideCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	text := sev + "\ndeny contains \"x\" if {\n" + bombs["cross product"] + "\n}\n"
	d, err := engine(t, compiled(t, "p.rego", text), policy.Limits{Deadline: time.Hour}).Decide(ctx, input(t, claimsSEV))
	if err != nil || d.Allow || d.Reasons[0].Code != policy.CodeTimeout {
		t.Errorf("got %+v, %v; want a timeout", d, err)
	}
}

// Engines and inputs are shared by goroutines, and the bytes are always equal.
func TestDecideParallel(t *testing.T) {
	text := head + `allow if input.hwmodel == "GCP_AMD_SEV"

deny contains sprintf("%s %v", [k, v]) if some k, v in input

deny contains json.marshal(input) if true
`
	p := compiled(t, "p.rego", text)
	e, in := engine(t, p, policy.Limits{Deadline: time.Minute}), input(t, claimsSEV)
	first, err := e.Decide(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			other := engine(t, p, policy.Limits{Deadline: time.Minute})
			for _, e := range []policy.Engine{e, other} {
				for range 20 {
					d, err := e.Decide(t.Context(), in)
					got, _ := json.Marshal(d)
					if err != nil || string(got) != string(want) {
						t.Errorf("got %s, %v; want %s", got, err, want)
					}
				}
			}
		})
	}
	group.Wait()
}

type fixed struct {
	policy.Decision

	err error
}

func (f fixed) Decide(context.Context, policy.Input) (policy.Decision, error) {
	return f.Decision, f.err
}

func TestBoth(t *testing.T) {
	allow := fixed{Decision: policy.Decision{Allow: true, Policy: "p"}}
	deny := fixed{Decision: policy.Deny("p", policy.Reason{Code: "a", Msg: "b"})}
	detail := allow
	detail.Detail = "something else"
	broken := fixed{err: context.Canceled}
	for _, tc := range []struct {
		name       string
		one, other policy.Engine
		want       string
		err        bool
	}{
		{"agree to allow", allow, allow, "", false},
		{"agree to deny", deny, deny, "a b", false},
		{"agree but for the detail", allow, detail, "", false},
		{"allow and deny", allow, deny, "policy.engines-disagree the engines decide differently", false},
		{"deny and allow", deny, allow, "policy.engines-disagree the engines decide differently", false},
		{"other reasons", deny, fixed{Decision: policy.Deny("p", policy.Reason{Code: "a", Msg: "c"})}, "policy.engines-disagree the engines decide differently", false},
		{"other policies", allow, fixed{Decision: policy.Decision{Allow: true, Policy: "q"}}, "policy.engines-disagree the engines decide differently", false},
		{"first broken", broken, allow, "", true},
		{"second broken", allow, broken, "", true},
	} {
		d, err := policy.Both(tc.one, tc.other).Decide(t.Context(), policy.Input{})
		if got := reasons(d); got != tc.want || (err != nil) != tc.err || d.Allow != (tc.want == "" && !tc.err) {
			t.Errorf("%s: %+v, %v; want reasons %q", tc.name, d, err, tc.want)
		}
	}
}
