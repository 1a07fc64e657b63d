package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Repair is a set of claims of which each would have to differ for the policy to
// allow: with all of them changed it does, and with any one left out it does
// not. It is the policy that was asked, so that it holds of this input.
type Repair struct {
	// From names the document that the values were taken from; "" means that
	// they come from what the policy compares with.
	From string `json:"from,omitempty"`
	// Changes are the claims, in order.
	Changes []Change `json:"changes"`
}

// Change is a claim and the value it would have to have.
type Change struct {
	Claim string `json:"claim"`
	// Seen and Wanted are values as JSON; empty means no such claim.
	Seen   json.RawMessage `json:"seen,omitempty"`
	Wanted json.RawMessage `json:"wanted,omitempty"`
}

// edit sets or, with a nil value, removes one place of the input.
type edit struct {
	at    ast.Ref
	value *ast.Term
}

const (
	maxRounds = 8
	maxTrials = 2000

	repairDeadline = 5 * time.Second
)

// repair looks for the least that would have to differ, first towards the
// document that differs least, then towards what the policy compares with.
func (p *Policy) repair(ctx context.Context, b *budget, engine Engine, in Input, allowed map[string]Input, x *Explanation) *Repair {
	old, err := in.value()
	if err != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, repairDeadline)
	defer stop()
	t := &trial{ctx: ctx, engine: engine, old: old, left: maxTrials}
	var best *Repair
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		value, err := allowed[name].value()
		if err != nil {
			continue
		}
		edits := difference(ast.InputRootRef, ast.NewTerm(old), ast.NewTerm(value))
		if r := t.least(edits); r != nil && (best == nil || len(r) < len(best.Changes)) {
			best = &Repair{From: name, Changes: t.changes(r)}
		}
	}
	if best != nil {
		return best
	}
	if edits := p.towards(ctx, b, t, x); edits != nil {
		if r := t.least(edits); r != nil {
			return &Repair{Changes: t.changes(r)}
		}
	}
	return nil
}

// towards collects edits that give claims the values that the policy compares
// with, until it allows or nothing more is known to change.
func (p *Policy) towards(ctx context.Context, b *budget, t *trial, x *Explanation) []edit {
	var edits []edit
	attempts, denials := x.Attempts, x.Denials
	for range maxRounds {
		var readings []Reading
		for _, d := range denials {
			readings = append(readings, d.Readings...)
		}
		for _, a := range attempts[:min(1, len(attempts))] {
			readings = append(readings, a.failing()...)
		}
		fresh := newEdits(edits, readings)
		if len(fresh) == 0 {
			return nil
		}
		edits = append(edits, fresh...)
		if t.allowed(edits) {
			return edits
		}
		next, err := canonicalValue(applied(t.old, edits))
		if err != nil {
			return nil
		}
		a, stop, err := p.ask(ctx, b, next)
		if err != nil {
			return nil
		}
		denials, attempts = nil, nil
		for _, r := range p.rules("deny") {
			denials = append(denials, a.denials(ctx, r)...)
		}
		for _, r := range p.rules("allow") {
			if !r.Default {
				attempts = append(attempts, a.attempt(ctx, r, newFrame(nil, 0)))
			}
		}
		stop()
	}
	return nil
}

func newEdits(have []edit, readings []Reading) []edit {
	var list []edit
	for _, r := range merged(readings) {
		known := slices.ContainsFunc(have, func(e edit) bool { return e.at.Equal(r.path) })
		if known || len(r.values) == 0 || len(r.path) < 2 || !r.path.IsGround() {
			continue
		}
		list = append(list, edit{r.path, ast.NewTerm(r.values[0])})
	}
	return list
}

func canonicalValue(v ast.Value) (Input, error) {
	doc, err := ast.JSON(v)
	if err != nil {
		return Input{}, err
	}
	return canonical(doc)
}

// trial asks the engine about changed inputs.
type trial struct {
	ctx    context.Context // of this search
	engine Engine
	old    ast.Value
	left   int
}

func (t *trial) allowed(edits []edit) bool {
	if t.left--; t.left < 0 {
		return false
	}
	in, err := canonicalValue(applied(t.old, edits))
	if err != nil {
		return false
	}
	d, err := t.engine.Decide(t.ctx, in)
	return err == nil && d.Allow
}

// least drops edits, in halves first and one by one at last, as long as the
// policy still allows. It returns nil if the edits do not suffice.
func (t *trial) least(edits []edit) []edit {
	if len(edits) == 0 || !t.allowed(edits) {
		return nil
	}
	for size := max(1, len(edits)/2); ; size = max(1, size/2) {
		for i := 0; i < len(edits); {
			rest := slices.Concat(edits[:i], edits[min(len(edits), i+size):])
			if len(rest) > 0 && t.allowed(rest) {
				edits = rest
			} else {
				i += size
			}
		}
		if size == 1 || t.left < 0 {
			return edits
		}
	}
}

func (t *trial) changes(edits []edit) []Change {
	var list []Change
	for _, e := range edits {
		c := Change{Claim: claimPath(e.at)}
		if v, err := t.old.Find(e.at[1:]); err == nil {
			c.Seen = jsonOf(v)
		}
		if e.value != nil {
			c.Wanted = jsonOf(e.value.Value)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Change) int { return cmp.Compare(a.Claim, b.Claim) })
	return list
}

// difference lists the edits that make b of a. Objects are compared by their
// members, everything else as a whole.
func difference(at ast.Ref, a, b *ast.Term) []edit {
	one, ok1 := a.Value.(ast.Object)
	two, ok2 := b.Value.(ast.Object)
	switch {
	case a.Equal(b):
		return nil
	case !ok1 || !ok2:
		return []edit{{at, b}}
	}
	var list []edit
	for _, key := range one.Keys() {
		if two.Get(key) == nil {
			list = append(list, edit{at.Append(key), nil})
		}
	}
	for _, key := range two.Keys() {
		if mine := one.Get(key); mine == nil {
			list = append(list, edit{at.Append(key), two.Get(key)})
		} else {
			list = append(list, difference(at.Append(key), mine, two.Get(key))...)
		}
	}
	return list
}

// applied returns the input with the edits made. It shares what is unchanged.
func applied(v ast.Value, edits []edit) ast.Value {
	for _, e := range edits {
		v = set(v, e.at[1:], e.value)
	}
	return v
}

// set returns v with the value at a path; nil removes it. What stands in the
// way of the path is replaced by an object.
func set(v ast.Value, path ast.Ref, value *ast.Term) ast.Value {
	if len(path) == 0 {
		if value == nil {
			return ast.Null{}
		}
		return value.Value
	}
	if list, ok := v.(*ast.Array); ok {
		return setElement(list, path, value)
	}
	out := ast.NewObject()
	if old, ok := v.(ast.Object); ok {
		old.Foreach(func(key, t *ast.Term) {
			if !key.Equal(path[0]) {
				out.Insert(key, t)
			}
		})
	}
	if value == nil && len(path) == 1 {
		return out
	}
	var inner ast.Value = ast.Null{}
	if old, ok := v.(ast.Object); ok && old.Get(path[0]) != nil {
		inner = old.Get(path[0]).Value
	} else if value == nil {
		return out // nothing to remove
	}
	out.Insert(path[0], ast.NewTerm(set(inner, path[1:], value)))
	return out
}

func setElement(list *ast.Array, path ast.Ref, value *ast.Term) ast.Value {
	var terms []*ast.Term
	for i := range list.Len() {
		switch {
		case !path[0].Equal(ast.IntNumberTerm(i)):
			terms = append(terms, list.Elem(i))
		case value == nil && len(path) == 1:
		default:
			terms = append(terms, ast.NewTerm(set(list.Elem(i).Value, path[1:], value)))
		}
	}
	return ast.NewArray(terms...)
}
