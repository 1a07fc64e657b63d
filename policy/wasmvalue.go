package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/tetratelabs/wazero/api"
)

// Types of values in the memory of a module, and their layout on 32 bits, from
// OPA's wasm/src/value.h.
const (
	wasmNull = iota + 1
	wasmBoolean
	wasmNumber
	wasmString
	wasmArray
	wasmObject
	wasmSet
	wasmStringInterned
	wasmBooleanInterned

	headerSize = 16 // at least the size of the largest struct
	numberRef  = 2  // a number as text; 1 is one of 64 bits
)

var errMemoryLayout = errors.New("the module's memory does not hold what it should")

// values reads the values that a module holds, and charges what it makes of
// them: parts that many values share are copied for each.
type values struct {
	mem    api.Memory
	budget *budget
}

// header is the beginning of a value.
type header struct {
	kind    byte
	flag    byte // the value of a boolean, the representation of a number
	a, b, c uint32
	int64   int64
}

func (vs values) header(addr uint32) (header, error) {
	raw, ok := vs.mem.Read(addr, headerSize)
	if !ok || addr == 0 {
		return header{}, errMemoryLayout
	}
	return header{
		kind: raw[0], flag: raw[1],
		a: binary.LittleEndian.Uint32(raw[4:]), b: binary.LittleEndian.Uint32(raw[8:]), c: binary.LittleEndian.Uint32(raw[12:]),
		int64: int64(binary.LittleEndian.Uint64(raw[8:])), //nolint:gosec // two's complement
	}, nil
}

func (vs values) text(addr, n uint32) (string, error) {
	raw, ok := vs.mem.Read(addr, n)
	if !ok {
		return "", errMemoryLayout
	}
	return string(raw), nil
}

func (h header) isString() bool { return h.kind == wasmString || h.kind == wasmStringInterned }

// term makes a term of the value at an address.
func (vs values) term(addr uint32) (*ast.Term, error) {
	h, err := vs.header(addr)
	if err != nil {
		return nil, err
	}
	if !vs.budget.spend(termSize) {
		return nil, errTooLarge
	}
	switch h.kind {
	case wasmNull:
		return ast.NullTerm(), nil
	case wasmBoolean, wasmBooleanInterned:
		return ast.InternedTerm(h.flag != 0), nil
	case wasmNumber:
		return vs.number(h)
	case wasmString, wasmStringInterned:
		if !vs.budget.spend(int(h.a)) {
			return nil, errTooLarge
		}
		s, err := vs.text(h.b, h.a)
		return ast.StringTerm(s), err
	case wasmArray:
		return vs.array(h)
	case wasmObject:
		return vs.object(h)
	case wasmSet:
		return vs.set(h)
	}
	return nil, errMemoryLayout
}

func (vs values) number(h header) (*ast.Term, error) {
	if h.flag != numberRef {
		return ast.NewTerm(ast.Number(strconv.FormatInt(h.int64, 10))), nil
	}
	if !vs.budget.spend(int(h.c)) {
		return nil, errTooLarge
	}
	s, err := vs.text(h.b, h.c)
	return ast.NewTerm(ast.Number(s)), err
}

func (vs values) array(h header) (*ast.Term, error) {
	list := []*ast.Term{}
	for i := range h.b {
		addr, ok := vs.mem.ReadUint32Le(h.a + i*8 + 4)
		if !ok {
			return nil, errMemoryLayout
		}
		t, err := vs.term(addr)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return ast.ArrayTerm(list...), nil
}

// each calls f for the elements of an object or a set: a table of h.b buckets,
// each a list. next is where an element holds the address of the next one.
func (vs values) each(h header, next uint32, f func(elem uint32) error) error {
	for i := range h.b {
		elem, ok := vs.mem.ReadUint32Le(h.a + i*4)
		for ; ok && elem != 0; elem, ok = vs.mem.ReadUint32Le(elem + next) {
			if err := f(elem); err != nil {
				return err
			}
		}
		if !ok {
			return errMemoryLayout
		}
	}
	return nil
}

// member returns the value that the n-th word at an address points to.
func (vs values) member(elem, n uint32) (*ast.Term, error) {
	addr, ok := vs.mem.ReadUint32Le(elem + 4*n)
	if !ok {
		return nil, errMemoryLayout
	}
	return vs.term(addr)
}

func (vs values) object(h header) (*ast.Term, error) {
	pairs := [][2]*ast.Term{}
	err := vs.each(h, 8, func(elem uint32) error {
		key, err := vs.member(elem, 0)
		if err != nil {
			return err
		}
		value, err := vs.member(elem, 1)
		pairs = append(pairs, [2]*ast.Term{key, value})
		return err
	})
	if err != nil {
		return nil, err
	}
	return ast.ObjectTerm(pairs...), nil
}

func (vs values) set(h header) (*ast.Term, error) {
	list := []*ast.Term{}
	err := vs.each(h, 4, func(elem uint32) error {
		t, err := vs.member(elem, 0)
		list = append(list, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ast.SetTerm(list...), nil
}

// errNotCarried says that a value means something else, or nothing, to a module.
var errNotCarried = errors.New("a value that a module cannot hold")

// exactDigits is how many decimal digits of a number that is not an integer
// both engines compare exactly.
const exactDigits = 15

// exactNumber refuses the numbers that OPA's interpreter (64 bits of mantissa)
// and its modules (decimal) may compare differently, and integers in another
// spelling, which only one of them takes for an index.
func exactNumber(s string) error {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return nil
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if strings.Trim(whole+fraction, "0123456789") != "" || len(s) > exactDigits || strings.Trim(fraction, "0") == "" {
		return fmt.Errorf("%w: the number %.40s", errNotCarried, s)
	}
	return nil
}

// appendValue appends a value in the notation of opa_value_parse: JSON by RFC
// 8259, and sets. It never uses Value.String, whose escapes are Go's.
func appendValue(b []byte, v ast.Value) ([]byte, error) {
	switch v := v.(type) {
	case ast.Null:
		return append(b, "null"...), nil
	case ast.Boolean:
		return strconv.AppendBool(b, bool(v)), nil
	case ast.Number:
		return append(b, v...), exactNumber(string(v))
	case ast.String:
		return appendString(b, string(v))
	case *ast.Array:
		b = append(b, '[')
		for i := range v.Len() {
			var err error
			if b, err = appendMember(b, v.Elem(i), ']', i == v.Len()-1); err != nil {
				return nil, err
			}
		}
		if v.Len() == 0 {
			b = append(b, ']')
		}
		return b, nil
	case ast.Set:
		return appendSet(b, v)
	case ast.Object:
		return appendObject(b, v)
	}
	return nil, errNotCarried
}

// appendMember appends a member and what follows it.
func appendMember(b []byte, t *ast.Term, end byte, last bool) ([]byte, error) {
	b, err := appendValue(b, t.Value)
	if last {
		return append(b, end), err
	}
	return append(b, ','), err
}

func appendSet(b []byte, set ast.Set) ([]byte, error) {
	if set.Len() == 0 {
		return append(b, "set()"...), nil
	}
	b = append(b, '{')
	var err error
	for i, t := range set.Slice() {
		if b, err = appendMember(b, t, '}', i == set.Len()-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendObject(b []byte, o ast.Object) ([]byte, error) {
	if o.Len() == 0 {
		return append(b, "{}"...), nil
	}
	b = append(b, '{')
	var err error
	for i, key := range o.Keys() {
		if b, err = appendValue(b, key.Value); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendMember(b, o.Get(key), '}', i == o.Len()-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendString appends a string by RFC 8259, section 7.
func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: a string that is not UTF-8", errNotCarried)
	}
	b = append(b, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"'), nil
}

// stringBytes returns the bytes of a string in the module's memory; they are
// valid until the module runs again.
func (vs values) stringBytes(addr uint32) ([]byte, bool) {
	h, err := vs.header(addr)
	if err != nil || !h.isString() {
		return nil, false
	}
	return vs.mem.Read(h.b, h.a)
}

// lookUp returns the value that an object has for a string, or 0; ok is false
// where it is not an object or the key no string.
func (vs values) lookUp(object, key uint32) (value uint32, ok bool) {
	want, ok := vs.stringBytes(key)
	h, err := vs.header(object)
	if !ok || err != nil || h.kind != wasmObject {
		return 0, false
	}
	err = vs.each(h, 8, func(elem uint32) error {
		addr, _ := vs.mem.ReadUint32Le(elem)
		if got, isString := vs.stringBytes(addr); isString && string(got) == string(want) {
			value, _ = vs.mem.ReadUint32Le(elem + 4)
		}
		return nil
	})
	return value, err == nil
}
