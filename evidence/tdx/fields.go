package tdx

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// fields reads the members of one JSON object. The first failure sticks in the
// error that a document's objects share.
type fields struct {
	path string
	node node
	err  *error
}

func (f fields) fail(format string, args ...any) {
	if *f.err == nil {
		*f.err = fmt.Errorf(format, args...)
	}
}

func (f fields) ok() bool { return *f.err == nil }

// get returns a member of the given kind. Where it is missing and needed, or is
// of another kind, that is an error; ok says whether there is a value.
func (f fields) get(name string, k strictjson.Kind, needed bool) (node, bool) {
	for _, m := range f.node.Members {
		if m.Name != name {
			continue
		}
		if m.Value.Kind != k {
			f.fail("%s.%s is of another type", f.path, name)
			return node{}, false
		}
		return m.Value, f.ok()
	}
	if needed {
		f.fail("%s.%s is missing", f.path, name)
	}
	return node{}, false
}

func (f fields) text(name string) string {
	n, _ := f.get(name, strictjson.Text, true)
	return n.Text
}

// is reads a text that has one possible value.
func (f fields) is(name, want string) {
	if got := f.text(name); got != want {
		f.fail("%s.%s is %q, want %q", f.path, name, got, want)
	}
}

func (f fields) number(name string, limit uint32) uint32 {
	n, ok := f.get(name, strictjson.Number, true)
	if !ok {
		return 0
	}
	v, err := strconv.ParseUint(n.Text, 10, 64)
	if err != nil || v > uint64(limit) {
		f.fail("%s.%s is %s, at most %d is possible", f.path, name, n.Raw, limit)
		return 0
	}
	return uint32(v) //nolint:gosec // at most limit
}

// hex reads exactly len(dst) bytes of hex digits, of either case.
func (f fields) hex(name string, dst []byte) {
	s := f.text(name)
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		f.fail("%s.%s is %q, want %d bytes in hex", f.path, name, s, len(dst))
		return
	}
	copy(dst, b)
}

// time reads a time in the one form Intel writes: UTC, to the second.
func (f fields) time(name string) time.Time {
	s := f.text(name)
	t, err := time.Parse("2006-01-02T15:04:05Z", s)
	if err != nil {
		f.fail("%s.%s is %q, want a time such as 2006-01-02T15:04:05Z", f.path, name, s)
	}
	return t
}

func (f fields) child(name string) fields {
	n, _ := f.get(name, strictjson.Object, true)
	return fields{f.path + "." + name, n, f.err}
}

// children reads an array of objects.
func (f fields) children(name string, needed bool) []fields {
	n, _ := f.get(name, strictjson.Array, needed)
	list := make([]fields, 0, len(n.Items))
	for i, item := range n.Items {
		path := fmt.Sprintf("%s.%s[%d]", f.path, name, i)
		if item.Kind != strictjson.Object {
			f.fail("%s is no object", path)
			return nil
		}
		list = append(list, fields{path, item, f.err})
	}
	return list
}

// texts reads an array of strings that may be missing.
func (f fields) texts(name string) []string {
	n, _ := f.get(name, strictjson.Array, false)
	var list []string
	for _, item := range n.Items {
		if item.Kind != strictjson.Text {
			f.fail("%s.%s has an item that is no string", f.path, name)
			return nil
		}
		list = append(list, item.Text)
	}
	return list
}

// level reads what every kind of TCB level has beside its SVNs.
func (f fields) level() level {
	l := level{Date: f.time("tcbDate"), Advisories: f.texts("advisoryIDs")}
	s := f.text("tcbStatus")
	var err error
	if l.Status, err = parseStatus(s); err != nil {
		f.fail("%s.tcbStatus: %w", f.path, err)
	}
	return l
}
