package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Mutation is what became of a policy's decision when claims were changed: how
// many changes it noticed, and each that it did not.
type Mutation struct {
	// Mutants is the number of changed documents, Killed how many were denied.
	Mutants int `json:"mutants"`
	Killed  int `json:"killed"`
	// Accepted is how many of the others are on the list given to Accept.
	Accepted int `json:"accepted,omitempty"`
	// Claims are those that the policy reads, sorted.
	Claims []MutatedClaim `json:"claims"`
	// NotRead are the claims of the documents that the policy does not read:
	// whatever they say, it allows. Members of a list count as one.
	NotRead []string `json:"not_read"`
}

// MutatedClaim is a claim with what became of its changes.
type MutatedClaim struct {
	Claim     string     `json:"claim"`
	Mutants   int        `json:"mutants"`
	Killed    int        `json:"killed"`
	Survivors []Survivor `json:"survivors,omitempty"`
}

// Survivor is a change that the policy still allows.
type Survivor struct {
	// Mutation is its kind: remove, null, retype, empty, flip, off-by-one, other
	// or input.
	Mutation string `json:"mutation"`
	// To is the value that the claim was given; empty if it was removed.
	To json.RawMessage `json:"to,omitempty"`
	// Documents names those in which it was allowed.
	Documents []string `json:"documents"`
	// Accepted is the reason why it may survive, if it is on a list of such.
	Accepted string `json:"accepted,omitempty"`
}

// Score is the part of the mutants that were denied, in percent, rounded down.
// Those that were accepted do not count.
func (m *Mutation) Score() int {
	judged := m.Mutants - m.Accepted
	if judged == 0 {
		return 0
	}
	return m.Killed * 100 / judged
}

// mutationDeadline is generous: a mutant that is denied for want of time proves
// nothing.
const mutationDeadline = 2 * time.Second

var errNotAllowed = errors.New("the policy does not allow it as it is, so that no change of it can tell anything")

// Mutate changes each claim of documents that the policy allows, in every way
// that could matter, and decides over each change. Step, which may be nil, is
// called as the work goes on.
func (p *Policy) Mutate(ctx context.Context, allowed map[string]Input, step func(done, total int)) (*Mutation, error) {
	engine, err := p.Topdown(Limits{Deadline: mutationDeadline}) //nolint:contextcheck // preparing takes none
	if err != nil {
		return nil, err
	}
	m := &mutator{engine: engine, notRead: map[string]bool{}, step: step}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		in := allowed[name]
		if seen[string(in.Bytes())] {
			continue
		}
		seen[string(in.Bytes())] = true
		d, err := engine.Decide(ctx, in)
		if err != nil {
			return nil, err
		}
		value, err := in.value()
		if err != nil || !d.Allow {
			return nil, fmt.Errorf("%s: %w", name, errNotAllowed)
		}
		m.document(name, value, p.reads(value))
	}
	if err := m.run(ctx); err != nil {
		return nil, err
	}
	return m.result(), nil
}

// mutant is one changed document.
type mutant struct {
	document, claim, kind string
	to                    *ast.Term
	input                 ast.Value
	probe                 bool // of a claim that is thought not to be read
	allowed               bool
}

type mutator struct {
	engine  Engine
	mutants []*mutant
	notRead map[string]bool
	step    func(done, total int)
}

// document adds the mutants of one document.
func (m *mutator) document(name string, doc ast.Value, reads []Read) {
	for _, whole := range []ast.Value{ast.NewObject(), ast.Null{}, ast.NewArray(), ast.String("x")} {
		m.mutants = append(m.mutants, &mutant{document: name, claim: "input", kind: "input", to: ast.NewTerm(whole), input: whole})
	}
	walkClaims(ast.InputRootRef, doc, func(at ast.Ref, v ast.Value) {
		how := readAs(at, reads)
		if how == notRead {
			if leaf(v) {
				m.mutants = append(m.mutants, &mutant{
					document: name, claim: claimPath(at), kind: "remove", input: applied(doc, []edit{{at, nil}}), probe: true,
				})
			}
			return
		}
		for _, c := range changesOf(v, how) {
			m.mutants = append(m.mutants, &mutant{
				document: name, claim: claimPath(at), kind: c.kind, to: c.to, input: applied(doc, []edit{{at, c.to}}),
			})
		}
	})
}

// walkClaims visits every claim below the root, and every object and list.
func walkClaims(at ast.Ref, v ast.Value, visit func(ast.Ref, ast.Value)) {
	if len(at) > 1 {
		visit(at, v)
	}
	if _, set := v.(ast.Set); set {
		return
	}
	eachMember(v, func(key, value *ast.Term) bool {
		walkClaims(at.Append(key), value.Value, visit)
		return true
	})
}

func leaf(v ast.Value) bool {
	switch v := v.(type) {
	case ast.Object:
		return v.Len() == 0
	case *ast.Array:
		return v.Len() == 0
	}
	return true
}

// readKind is how a policy reads a claim.
type readKind int

const (
	notRead   readKind = iota
	holdsRead          // it holds a claim that is read
	shapeRead          // presence, type or size
	valueRead
)

// readAs says how a policy that reads so reads the claim at a place.
func readAs(at ast.Ref, reads []Read) readKind {
	how := notRead
	for _, r := range reads {
		n := min(len(at), len(r.path))
		if !matches(at[:n], r.path[:n]) {
			continue
		}
		switch {
		case len(at) < len(r.path):
			how = max(how, holdsRead)
		case !r.Shape:
			how = valueRead
		case len(at) == len(r.path):
			how = max(how, shapeRead)
		}
	}
	return how
}

func matches(at, pattern ast.Ref) bool {
	for i, t := range pattern {
		if _, anything := t.Value.(ast.Var); i > 0 && !anything && !t.Equal(at[i]) {
			return false
		}
	}
	return true
}

// run decides over all mutants, on all processors.
func (m *mutator) run(ctx context.Context) error {
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(m.mutants) || ctx.Err() != nil {
					return
				}
				err := m.decide(ctx, m.mutants[i])
				mu.Lock()
				failed = cmp.Or(failed, err)
				if m.step != nil {
					m.step(int(done.Add(1)), len(m.mutants))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return cmp.Or(failed, ctx.Err())
}

// decide decides over one mutant. One that is denied because the evaluation did
// not end was not judged.
func (m *mutator) decide(ctx context.Context, x *mutant) error {
	d, err := m.engine.Decide(ctx, Input{parse: func() (ast.Value, error) { return x.input, nil }})
	if err != nil {
		return err
	}
	for _, r := range d.Reasons {
		if r.Code == CodeTimeout || r.Code == CodeMemory {
			return fmt.Errorf("%s with %s changed (%s): %s", x.document, x.claim, x.kind, r.Msg)
		}
	}
	x.allowed = d.Allow
	return nil
}

// result counts. A claim that was thought not to be read and whose absence is
// denied counts as one that is.
func (m *mutator) result() *Mutation {
	claims, out := map[string]*MutatedClaim{}, &Mutation{NotRead: []string{}, Claims: []MutatedClaim{}}
	for _, x := range m.mutants {
		if x.probe && x.allowed {
			m.notRead[members.ReplaceAllString(x.claim, "[*]")] = true
			continue
		}
		c := claims[x.claim]
		if c == nil {
			c = &MutatedClaim{Claim: x.claim}
			claims[x.claim] = c
		}
		c.Mutants++
		out.Mutants++
		if !x.allowed {
			c.Killed++
			out.Killed++
			continue
		}
		c.survived(x)
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		out.Claims = append(out.Claims, *claims[name])
	}
	out.NotRead = slices.AppendSeq(out.NotRead, maps.Keys(m.notRead))
	slices.Sort(out.NotRead)
	return out
}

// survived adds a mutant that was allowed, to those like it.
func (c *MutatedClaim) survived(x *mutant) {
	s := Survivor{Mutation: x.kind, Documents: []string{x.document}}
	if x.to != nil {
		s.To = jsonOf(x.to.Value)
	}
	for i, o := range c.Survivors {
		if o.Mutation == s.Mutation && string(o.To) == string(s.To) {
			c.Survivors[i].Documents = append(o.Documents, x.document)
			return
		}
	}
	c.Survivors = append(c.Survivors, s)
}

// MergeMutations adds up what was found of one policy with several configs.
func MergeMutations(list ...*Mutation) *Mutation {
	claims, out := map[string]MutatedClaim{}, &Mutation{Claims: []MutatedClaim{}}
	unread := map[string]int{}
	for _, m := range list {
		out.Mutants += m.Mutants
		out.Killed += m.Killed
		for _, c := range m.Claims {
			sum := claims[c.Claim]
			sum.Claim, sum.Mutants, sum.Killed = c.Claim, sum.Mutants+c.Mutants, sum.Killed+c.Killed
			sum.Survivors = append(sum.Survivors, c.Survivors...)
			claims[c.Claim] = sum
		}
		for _, name := range m.NotRead {
			unread[name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		out.Claims = append(out.Claims, claims[name])
	}
	out.NotRead = slices.AppendSeq([]string{}, maps.Keys(unread))
	slices.Sort(out.NotRead)
	return out
}
