package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Limits of what a policy says.
const (
	maxReasons = 256
	maxCode    = 128
	maxMsg     = 4096
)

// codeDeny is the code of a reason for which the policy gives none.
const codeDeny = "deny"

// read makes the decision of the value of the entrypoint: an object of the
// values of allow and of deny, in lists because either may have none. Whatever
// is not exactly of the contract's shape denies.
func read(digest string, value ast.Value) Decision {
	entry, ok := value.(ast.Object)
	if !ok || entry.Len() != 2 {
		return deny(digest, CodeType, "the entrypoint is not an object")
	}
	reasons, err := readDeny(entry.Get(ast.InternedTerm("deny")))
	if err != nil {
		return deny(digest, CodeType, err.Error())
	}
	allow, code, err := readAllow(entry.Get(ast.InternedTerm("allow")))
	switch {
	case err != nil:
		return deny(digest, code, err.Error())
	case len(reasons) > 0:
		return Deny(digest, reasons...)
	case !allow:
		return deny(digest, CodeNotAllowed, "")
	}
	return Decision{Allow: true, Policy: digest}
}

// only returns the one member of a list.
func only(list *ast.Term) (ast.Value, int) {
	if list == nil {
		return nil, 0
	}
	array, ok := list.Value.(*ast.Array)
	if !ok {
		return nil, 0
	}
	if array.Len() != 1 {
		return nil, array.Len()
	}
	return array.Elem(0).Value, 1
}

func readAllow(list *ast.Term) (allow bool, code string, err error) {
	value, n := only(list)
	if n != 1 {
		return false, CodeUndefined, fmt.Errorf("allow has %d values", n)
	}
	b, ok := value.(ast.Boolean)
	if !ok {
		return false, CodeType, fmt.Errorf("allow is a %s", ast.ValueName(value))
	}
	return bool(b), "", nil
}

// readDeny reads the reasons. A policy without deny gives none.
func readDeny(list *ast.Term) ([]Reason, error) {
	value, n := only(list)
	if n == 0 && list != nil {
		return nil, nil
	}
	var reasons []Reason
	var err error
	add := func(member *ast.Term) {
		if len(reasons) > maxReasons || err != nil {
			return
		}
		var r Reason
		r, err = readReason(member.Value)
		reasons = append(reasons, r)
	}
	switch v := value.(type) {
	case ast.Set:
		v.Foreach(add)
	case *ast.Array: // how an engine that speaks JSON writes a set
		v.Foreach(add)
	default:
		return nil, fmt.Errorf("deny is not a set")
	}
	if len(reasons) > maxReasons {
		return nil, fmt.Errorf("deny has more than %d members", maxReasons)
	}
	return reasons, err
}

func readReason(v ast.Value) (Reason, error) {
	r := Reason{Code: codeDeny}
	switch v := v.(type) {
	case ast.String:
		r.Msg = string(v)
	case ast.Object:
		code, ok1 := stringAt(v, "code")
		msg, ok2 := stringAt(v, "msg")
		if !ok1 || !ok2 || v.Len() != 2 || code == "" || len(code) > maxCode {
			return Reason{}, fmt.Errorf(`a member of deny is not {"code": string, "msg": string}`)
		}
		r = Reason{Code: code, Msg: msg}
	default:
		return Reason{}, fmt.Errorf("a member of deny is a %s", ast.ValueName(v))
	}
	r.Msg = clip(r.Msg)
	return r, nil
}

func stringAt(o ast.Object, key string) (string, bool) {
	t := o.Get(ast.StringTerm(key))
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}

// clip shortens a message to its limit, between characters.
func clip(s string) string {
	if len(s) <= maxMsg {
		return s
	}
	cut := maxMsg
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
