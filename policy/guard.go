package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// guardPrefix names the guarded twin of a builtin function. OPA's functions have
// no bound on what they make, and none of them can be interrupted: doubling a
// string reaches a gigabyte in a second. Calls of those that can grow their
// arguments are therefore renamed before compilation, in both engines.
const guardPrefix = "guard."

// Bounds of what one call makes.
const (
	maxText     = 1 << 20 // bytes of a string
	maxItems    = 1 << 16 // members of a collection
	maxDigits   = 1024    // digits of a number
	maxExponent = 1000
	maxRegex    = 1 << 25 // steps of a regular expression's automaton
	maxPattern  = 1 << 13 // its size, repetitions written out
	maxPairs    = 1 << 22 // comparisons
)

// errTooLarge says that a call would make more than a policy may hold.
var errTooLarge = errors.New("the result is larger than a policy may make")

// guards lists the guarded functions with what is checked of their arguments.
var guards = map[string]func(args []*ast.Term) error{
	"and":                              guardCollisions,
	"array.concat":                     guardConcatArrays,
	"array.flatten":                    guardWeight,
	"array.reverse":                    guardNothing,
	"array.slice":                      guardNothing,
	"base64.encode":                    guardWeight,
	"base64url.encode":                 guardWeight,
	"base64url.encode_no_pad":          guardWeight,
	"bits.lsh":                         guardShift,
	"concat":                           guardConcat,
	"div":                              guardNothing,
	"glob.match":                       guardGlob,
	"glob.quote_meta":                  guardWeight,
	"hex.encode":                       guardWeight,
	"indexof":                          guardSearch,
	"indexof_n":                        guardPositions,
	"intersection":                     guardCollisions,
	"json.filter":                      guardPairs,
	"json.marshal":                     guardWeight,
	"json.remove":                      guardPairs,
	"json.unmarshal":                   guardWeight,
	"mul":                              guardNothing,
	"numbers.range":                    guardRange,
	"numbers.range_step":               guardRange,
	"object.filter":                    guardCollisions,
	"object.keys":                      guardCollisions,
	"object.remove":                    guardCollisions,
	"object.subset":                    guardPairs,
	"object.union":                     guardCollisions,
	"or":                               guardCollisions,
	"product":                          guardProduct,
	"regex.find_all_string_submatch_n": guardRegexList,
	"regex.find_n":                     guardRegexList,
	"regex.is_valid":                   guardWeight,
	"regex.match":                      guardRegex,
	"regex.split":                      guardRegexList,
	"replace":                          guardReplace,
	"split":                            guardSplit,
	"sprintf":                          guardSprintf,
	"strings.any_prefix_match":         guardPairs,
	"strings.any_suffix_match":         guardPairs,
	"to_number":                        guardWeight,
	"trim":                             guardSearch,
	"trim_left":                        guardSearch,
	"trim_right":                       guardSearch,
	"union":                            guardCollisions,
}

// function is one that the interpreter calls for a policy: a guarded one, or hold.
type function struct {
	decl *ast.Builtin
	// call returns nil without error where the function is undefined.
	call func(topdown.BuiltinContext, []*ast.Term) (*ast.Term, error)
}

// ownFunctions lists what the interpreter must know besides OPA's functions.
func ownFunctions() []function {
	list := []function{{holdDecl, func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
		return ast.InternedTerm(true), hold(ctx, args)
	}}}
	for _, name := range slices.Sorted(maps.Keys(guards)) {
		list = append(list, function{guardedDecl(ast.BuiltinMap[name]), func(ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
			return callGuarded(name, ctx, args)
		}})
	}
	return list
}

// forRego makes the function known to package rego, where its halts need a name.
func (f function) forRego() (*rego.Function, rego.BuiltinDyn) {
	decl := &rego.Function{Name: f.decl.Name, Decl: f.decl.Decl}
	return decl, func(ctx rego.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
		result, err := f.call(ctx, args)
		if errors.Is(err, errTooLarge) {
			err = rego.NewHaltError(err)
		}
		return result, err
	}
}

func guardedDecl(b *ast.Builtin) *ast.Builtin {
	return &ast.Builtin{Name: guardPrefix + b.Name, Decl: b.Decl}
}

// guardCalls renames the calls of guarded functions in a parsed module.
func guardCalls(m *ast.Module) {
	rename := func(operator *ast.Term) {
		ref, ok := operator.Value.(ast.Ref)
		if !ok {
			return
		}
		if name := ref.String(); guards[name] != nil {
			operator.Value = functionRef(guardPrefix + name)
		}
	}
	visit := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				rename(x.OperatorTerm())
			}
		case ast.Call:
			rename(x[0])
		}
		return false
	})
	visit.Walk(m)
}

// callGuarded calls the twin of a guarded function: the same function, after its
// arguments were judged and before its result is passed on. What it makes is
// charged to the evaluation, and errTooLarge ends it. A nil term without error
// is undefined.
func callGuarded(name string, ctx topdown.BuiltinContext, args []*ast.Term) (*ast.Term, error) {
	b := chargeOf(ctx)
	result, cost, err := judged(name, ctx, args)
	if errors.Is(err, errTooLarge) || !b.spend(cost) {
		return nil, b.exhaust()
	}
	return result, err
}

// chargeOf returns what a call is charged to: the budget of the evaluation, or
// one of its own where the evaluation has none.
func chargeOf(ctx topdown.BuiltinContext) *budget {
	if b, ok := ctx.Cancel.(*budget); ok {
		return b
	}
	return &budget{left: weightCost * maxText}
}

func judged(name string, ctx topdown.BuiltinContext, args []*ast.Term) (result *ast.Term, cost int, err error) {
	if err := guards[name](args); err != nil {
		return nil, 0, err
	}
	err = topdown.GetBuiltin(name)(ctx, args, func(t *ast.Term) error {
		result = t
		return nil
	})
	if err != nil || result == nil {
		return nil, 0, err
	}
	cost, err = costOf(result.Value)
	return result, cost, err
}

// costOf returns roughly what a result holds, every part of it as often as it
// stands there.
func costOf(v ast.Value) (int, error) {
	switch v := v.(type) {
	case ast.String:
		if len(v) > maxText {
			return 0, errTooLarge
		}
		return len(v), nil
	case ast.Number:
		return len(v), checkNumber(string(v))
	}
	left := weigh(v, maxText)
	if left < 0 {
		return 0, errTooLarge
	}
	return weightCost * (maxText - left), nil
}

// termSize is about what OPA needs for a term in a collection.
const termSize = 96

// checkNumber refuses numbers whose integer part alone fills the memory.
func checkNumber(s string) error {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if len(mantissa) > maxDigits {
		return errTooLarge
	}
	if exponent == "" {
		return nil
	}
	if n, err := strconv.Atoi(exponent); err != nil || n > maxExponent || n < -maxExponent {
		return errTooLarge
	}
	return nil
}

// leastWeight is the weight of a value by itself: a value has at most 65,536 parts,
// which OPA compares in some milliseconds and with some megabytes of stack.
const leastWeight = maxText / maxItems

// weigh adds up what printing v would make, and gives up where left is used up:
// a small value can share its parts so often that printing it would never end.
func weigh(v ast.Value, left int) int {
	left -= leastWeight
	if left < 0 {
		return left
	}
	descend := func(t *ast.Term) {
		if left >= 0 {
			left = weigh(t.Value, left)
		}
	}
	switch v := v.(type) {
	case ast.String:
		left -= len(v)
	case ast.Number:
		left -= len(v)
	case *ast.Array:
		v.Foreach(descend)
	case ast.Set:
		v.Foreach(descend)
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { descend(key); descend(value) })
	}
	return left
}

func fits(cost int) error {
	if cost > maxText {
		return fmt.Errorf("%w: about %d bytes, the limit is %d", errTooLarge, cost, maxText)
	}
	return nil
}
