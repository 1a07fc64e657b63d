package policy_test

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/attestctl/attestctl/policy"
)

// benchPolicy has the size of the policies that ship.
const benchPolicy = head + `allow if {
	input.hwmodel in {"GCP_AMD_SEV", "GCP_AMD_SEV_SNP"}
	every _, status in input.checks { status in {"pass", "skip"} }
}

deny contains {"code": "old", "msg": sprintf("verified at %d", [input.verified_at])} if input.verified_at < 1600000000

deny contains {"code": "format", "msg": concat(" ", ["format", input.format])} if not input.format in {"tpm2-quote", "attestation"}

deny contains {"code": "check", "msg": id} if {
	some id, status in input.checks
	not startswith(id, "snp.")
	status == "fail"
}
`

const benchClaims = `{"schema":"attestctl.claims/v1","format":"tpm2-quote","verified_at":1700000000,"hwmodel":"GCP_AMD_SEV",` +
	`"checks":{"tpm.ak.chain":"pass","tpm.ak.profile":"pass","tpm.quote.signature[sha256]":"pass","tpm.quote.magic":"pass",` +
	`"tpm.quote.nonce":"pass","tpm.quote.pcrs":"pass","eventlog.replay[sha256]":"pass","eventlog.coverage":"pass","snp.chain":"skip"}}`

// BenchmarkTopdown is a decision by the engine; BenchmarkBare is OPA alone on
// the same policy and the same parsed input. Their ratio is to stay under 1.15.
func BenchmarkTopdown(b *testing.B) {
	e, in := engine(b, compiled(b, "p.rego", benchPolicy), policy.Limits{}), input(b, benchClaims)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := e.Decide(b.Context(), in); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkBare(b *testing.B) {
	q, err := rego.New(rego.Module("p.rego", benchPolicy), rego.Store(inmem.NewFromObject(map[string]any{"config": map[string]any{}})),
		rego.Query(`x := {"allow": [x | x := data.attest.allow], "deny": [x | x := data.attest.deny]}`)).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	value := ast.MustParseTerm(benchClaims).Value
	b.ReportAllocs()
	for b.Loop() {
		if rs, err := q.Eval(b.Context(), rego.EvalParsedInput(value)); err != nil || len(rs) != 1 {
			b.Fatal(rs, err)
		}
	}
}

// BenchmarkLoad reads, compiles and prepares a policy, and decides once. It is
// to stay under 30 ms.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		e, in := engine(b, compiled(b, "p.rego", benchPolicy), policy.Limits{}), input(b, benchClaims)
		if d, err := e.Decide(b.Context(), in); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkParseInput(b *testing.B) {
	for b.Loop() {
		input(b, benchClaims)
	}
}
