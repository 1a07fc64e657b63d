package policy_test

import (
	"errors"
	"testing"

	"github.com/attestctl/attestctl/policy"
)

func TestRequest(t *testing.T) {
	for _, raw := range []string{"", "null", "[]", "1", `{"a":1}{}`, `{"a":1,"a":2}`, "{"} {
		if r, err := policy.ParseRequest([]byte(raw)); err == nil || r != nil {
			t.Errorf("ParseRequest(%q) = %v, %v", raw, r, err)
		}
	}
	request, err := policy.ParseRequest([]byte(`{"secret":"db","n":9007199254740993}`))
	if err != nil {
		t.Fatal(err)
	}
	in, err := input(t, claimsSEV).WithRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":{},"format":"tpm2-quote","hwmodel":"GCP_AMD_SEV","request":{"n":9007199254740993,"secret":"db"},` +
		`"schema":"attestctl.claims/v1","verified_at":1700000000}`
	if got := string(in.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again, err := in.WithRequest(map[string]any{}); !errors.Is(err, policy.ErrRequestTwice) || again.Bytes() != nil {
		t.Errorf("a second request: %s, %v", again.Bytes(), err)
	}
	if in, err := (policy.Input{}).WithRequest(request); err == nil || in.Bytes() != nil {
		t.Error("no input has become one")
	}
}
