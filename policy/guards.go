package policy

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The functions below judge the arguments of one call each. Arguments of a
// wrong type pass: the function itself refuses them.

func guardNothing([]*ast.Term) error { return nil }

func textOf(t *ast.Term) string {
	s, _ := t.Value.(ast.String) // another type is no text
	return string(s)
}

// intOf returns the integer of t, or ok false if it is none of 32 bits.
func intOf(t *ast.Term) (n int, ok bool) {
	v, ok := t.Value.(ast.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(string(v), 10, 32)
	return int(i), err == nil
}

func lenOf(t *ast.Term) int {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Set:
		return v.Len()
	}
	return 0
}

// guardWeight bounds what the arguments come to when they are printed.
func guardWeight(args []*ast.Term) error {
	left := maxText
	for _, a := range args {
		if left = weigh(a.Value, left); left < 0 {
			return errTooLarge
		}
	}
	return nil
}

// guardPairs bounds the work of functions that compare every part of one argument
// with every part of the other.
func guardPairs(args []*ast.Term) error {
	parts := [2]int{}
	for i := range parts {
		left := weigh(args[i].Value, maxText)
		if left < 0 {
			return errTooLarge
		}
		parts[i] = (maxText - left) / leastWeight
	}
	if parts[0]*parts[1] > maxPairs {
		return errTooLarge
	}
	return nil
}

// guardCollisions bounds the members that a function puts into a set or object
// with the same hash: OPA hashes numbers by their integer part, and arrays by the
// sum of their members.
func guardCollisions(args []*ast.Term) error {
	for _, a := range args {
		n := 0
		count := func(t *ast.Term) {
			if _, text := t.Value.(ast.String); !text {
				n++
			}
		}
		switch v := a.Value.(type) {
		case *ast.Array:
			v.Foreach(count)
		case ast.Set:
			v.Foreach(count)
		case ast.Object:
			v.Foreach(func(key, _ *ast.Term) { count(key) })
		}
		if n*n > maxPairs {
			return errTooLarge
		}
	}
	return nil
}

// guardSearch bounds the work of functions that compare each place of one text
// with all of the other.
func guardSearch(args []*ast.Term) error {
	if len(textOf(args[0]))*len(textOf(args[1])) > maxRegex {
		return errTooLarge
	}
	return nil
}

func guardPositions(args []*ast.Term) error {
	if err := guardSplit(args); err != nil {
		return err
	}
	return guardSearch(args)
}

func guardProduct(args []*ast.Term) error {
	if weigh(args[0].Value, 16*maxDigits) < 0 {
		return errTooLarge
	}
	return nil
}

func guardConcatArrays(args []*ast.Term) error {
	if lenOf(args[0])+lenOf(args[1]) > maxItems {
		return errTooLarge
	}
	return nil
}

func guardConcat(args []*ast.Term) error {
	if err := guardWeight(args[1:2]); err != nil {
		return err
	}
	return fits(lenOf(args[1]) * len(textOf(args[0])))
}

func guardShift(args []*ast.Term) error {
	if n, ok := intOf(args[1]); !ok || n > maxDigits {
		return errTooLarge
	}
	return nil
}

func guardRange(args []*ast.Term) error {
	from, ok1 := intOf(args[0])
	to, ok2 := intOf(args[1])
	if !ok1 || !ok2 || max(from-to, to-from) > maxItems {
		return errTooLarge
	}
	return nil
}

func guardReplace(args []*ast.Term) error {
	text, old, with := textOf(args[0]), textOf(args[1]), textOf(args[2])
	return fits(len(text) + strings.Count(text, old)*len(with))
}

func guardSplit(args []*ast.Term) error {
	if strings.Count(textOf(args[0]), textOf(args[1])) > maxItems {
		return errTooLarge
	}
	return nil
}

// guardSprintf bounds what a format can make of its arguments: every verb may
// print the largest of them, and pad it to its width.
func guardSprintf(args []*ast.Term) error {
	if err := guardWeight(args[1:2]); err != nil {
		return err
	}
	format := textOf(args[0])
	verbs := strings.Count(format, "%")
	if verbs > maxDigits {
		return errTooLarge
	}
	widths, number := 0, 0
	for _, c := range []byte(format) {
		switch {
		case c == '*':
			return errTooLarge // a width that the arguments choose
		case c >= '0' && c <= '9':
			number = min(maxText, number*10+int(c-'0'))
		default:
			widths, number = min(maxText, widths+number), 0
		}
	}
	// %x makes two bytes of one, %q up to ten.
	return fits(len(format) + widths + 10*verbs*(maxText-weighLargest(args[1])))
}

// weighLargest returns what is left of maxText after the largest member.
func weighLargest(list *ast.Term) int {
	left := maxText
	if array, ok := list.Value.(*ast.Array); ok {
		array.Foreach(func(t *ast.Term) { left = min(left, weigh(t.Value, maxText)) })
	}
	return left
}

// guardRegex bounds the work of an expression: Go's take time in proportion to
// the text and to the automaton, which a repetition multiplies.
func guardRegex(args []*ast.Term) error {
	pattern, text := textOf(args[0]), textOf(args[1])
	repeat, number := 1, 0
	for _, c := range []byte(pattern) {
		switch {
		case c >= '0' && c <= '9':
			number = min(maxExponent, number*10+int(c-'0'))
		default:
			repeat, number = min(maxExponent, repeat*max(1, number)), 0
		}
	}
	if len(text) > maxText || len(pattern)*repeat > min(maxPattern, maxRegex/(len(text)+1)) {
		return errTooLarge
	}
	return nil
}

// guardRegexList bounds what an expression that matches everywhere makes.
func guardRegexList(args []*ast.Term) error {
	if len(textOf(args[1])) > maxItems {
		return errTooLarge
	}
	return guardRegex(args)
}

func guardGlob(args []*ast.Term) error {
	if pattern, text := textOf(args[0]), textOf(args[2]); len(pattern)*len(text) > maxRegex>>5 {
		return errTooLarge
	}
	return nil
}
