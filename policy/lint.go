package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Lint is something in a policy that compiles and is most likely not meant.
type Lint struct {
	// ID names the rule: one of Lints.
	ID     string `json:"id"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Msg    string `json:"msg"`
	Hint   string `json:"hint"`
}

func (l Lint) String() string {
	return Problem{File: l.File, Line: l.Line, Column: l.Column, Msg: l.Msg + " [" + l.ID + "]"}.String()
}

// LintRule is a rule of Lint with what it is for.
type LintRule struct {
	ID   string
	Hint string // the way round
	find func(*linter)
}

// lintRules lists the rules. Each has an ID that does not change.
var lintRules = []LintRule{
	{"identity", "pin submods.gce.project_id, sub, google_service_accounts, tpm.ak.key_sha256 or tpm.pcrs to values from data.config", (*linter).identity},
	{"deny-only", "name in allow what must be true; rules of deny are for the reasons", (*linter).denyOnly},
	{"absent-passes", "write the positive condition: `input.x == false` is not true where x is absent", (*linter).absentPasses},
	{"deny-on-absent", "write `deny … if not x_is_good` with a rule `x_is_good if …` that reads input.x itself, or demand the claim in allow", (*linter).denyOnAbsent},
	{"untyped-comparison", "add is_number(x): to Rego every text is larger than every number", (*linter).untypedComparison},
	{"empty-every", "add count(x) > 0: every is true of an empty list", (*linter).emptyEvery},
	{"unanchored-regex", "begin the pattern with ^ and end it with $, or compare with ==", (*linter).unanchoredRegex},
	{"project-prefix", "compare the whole name: anybody can make a project whose name begins like yours", (*linter).projectPrefix},
	{"unknown-claim", "no evidence has it; see docs/claims.schema.json", (*linter).unknownClaim},
	{"forgeable", "pin the PCR beside it: values of input.tpm.pcrs from data.config", (*linter).forgeable},
	{"metadata", "write `# METADATA` with title and description above the rule: explain and test show the title", (*linter).metadata},
	{"tests", "write a file named *_test.rego; attestctl policy init shows one", (*linter).tests},
}

// Lints lists the rules of Lint, in the order in which they are tried.
func Lints() []LintRule { return slices.Clone(lintRules) }

// Lint finds what is most likely not meant, sorted by place. Only the policy's
// own modules are judged; where its decision depends on the library, the library
// counts.
func (p *Policy) Lint() []Lint {
	l := &linter{policy: p, reads: p.reads(nil)}
	l.polarity()
	for _, rule := range lintRules {
		l.rule = rule
		rule.find(l)
	}
	slices.SortStableFunc(l.found, func(a, b Lint) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(l.found)
}

// linter collects what the rules find.
type linter struct {
	policy *Policy
	reads  []Read
	rule   LintRule
	found  []Lint
	// demanded are the claims that some rule of allow needs to be there, certain
	// those that each of them needs. Absent are the expressions that are satisfied
	// by the absence of a claim.
	demanded map[string]bool
	certain  []string
	absent   []absentUse
}

func (l *linter) add(at *ast.Location, format string, args ...any) {
	found := Lint{ID: l.rule.ID, Msg: fmt.Sprintf(format, args...), Hint: l.rule.Hint}
	if at != nil {
		found.File, found.Line, found.Column = at.File, at.Row, at.Col
	}
	l.found = append(l.found, found)
}

// own reports whether a place is in a module of the policy itself.
func (l *linter) own(at *ast.Location) bool {
	return at != nil && slices.ContainsFunc(l.policy.source.modules, func(f File) bool { return f.Path == at.File })
}

// allowAt is where the policy says what it allows.
func (l *linter) allowAt() *ast.Location {
	for _, r := range l.policy.rules("allow") {
		if !r.Default {
			return r.Location
		}
	}
	return nil
}

// identities are the claims that say whose machine it is.
var identities = []string{
	"sub", "submods.gce", "google_service_accounts", "tpm.ak.key_sha256", "tpm.ak.certificate.sha256", "tpm.ak.certificate.subject", "tpm.pcrs",
}

func (l *linter) identity() {
	for _, r := range l.reads {
		claim := r.Claim()
		if !r.Shape && slices.ContainsFunc(identities, func(id string) bool { return partOf(claim, id) }) {
			return
		}
	}
	l.add(l.allowAt(), "no claim is read that says whose machine it is: every customer's genuine VM passes")
}

// partOf reports whether a claim is another or part of it.
func partOf(claim, whole string) bool {
	rest, ok := strings.CutPrefix(claim, whole)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (l *linter) denyOnly() {
	if len(l.demanded) == 0 {
		l.add(l.allowAt(), "allow demands nothing of any claim: evidence without claims is allowed unless a rule of deny fires")
	}
}

func (l *linter) absentPasses() {
	for _, u := range l.absent {
		if !u.deny && l.own(u.at) {
			l.add(u.at, "%s: passes where %s is absent", u.text, u.claim)
		}
	}
}

func (l *linter) denyOnAbsent() {
	for _, u := range l.absent {
		if !u.deny || !l.own(u.at) || slices.ContainsFunc(l.certain, func(c string) bool { return partOf(c, u.claim) }) {
			continue
		}
		if u.message {
			l.add(u.at, "%s: without %s there is no message and so no denial, and allow does not demand it", u.text, u.claim)
			l.found[len(l.found)-1].Hint = messageHint
			continue
		}
		l.add(u.at, "%s: does not deny where %s is absent, and allow does not demand it", u.text, u.claim)
	}
}

// messageHint is the way round for claims in messages.
const messageHint = `quote claims in messages with object.get(input, ["a", "b"], "absent"), or with attestctl.message, which is always defined`

func (l *linter) unknownClaim() {
	for _, r := range l.reads {
		if r.Constant && l.own(r.At) && !schemaHas(r.path[1:]) {
			l.add(r.At, "object.get reads %s, which the claims schema does not have", r.Claim())
		}
	}
}

// forgeableClaims are those that boot.forgeable may name, with the PCR that
// makes them count.
var forgeableClaims = []struct{ claim, pcr string }{
	{"swname", "13"},
	{"submods.container", "13"},
	{"boot.kernel", "8"},
	{"boot.grub", "8"},
	{"boot.efi_apps", "4"},
}

func (l *linter) forgeable() {
	pinned := slices.ContainsFunc(l.reads, func(r Read) bool { return !r.Shape && partOf(r.Claim(), "tpm.pcrs") })
	aware := slices.ContainsFunc(l.reads, func(r Read) bool { return partOf(r.Claim(), "boot.forgeable") })
	if pinned || aware {
		return
	}
	for _, r := range l.reads {
		for _, f := range forgeableClaims {
			if partOf(r.Claim(), f.claim) && f.claim != "swname" {
				l.add(l.placeOf(r), "%s can be forged after boot by whoever owns the machine, and PCR %s is not pinned", r.Claim(), f.pcr)
			}
		}
	}
}

// placeOf is where a claim is read, or where it is asked for if the library
// reads it.
func (l *linter) placeOf(r Read) *ast.Location {
	if l.own(r.At) {
		return r.At
	}
	return l.allowAt()
}

func (l *linter) metadata() {
	for _, name := range []string{"allow", "deny"} {
		for _, r := range l.policy.rules(name) {
			if !r.Default && l.policy.titleOf(r) == "" {
				l.add(r.Location, "a rule of %s without a title", name)
			}
		}
	}
}

func (l *linter) tests() {
	s := l.policy.source
	bundled := strings.HasSuffix(s.name, ".tar.gz") || strings.HasSuffix(s.name, ".tgz") // has left its tests behind
	if len(s.tests) == 0 && !bundled {
		l.add(&ast.Location{File: s.modules[0].Path, Row: 1, Col: 1}, "the policy has no tests")
	}
}
