package forge

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Member is a member of a JSON object.
type Member struct {
	Name  string
	Value any
}

// Object is a JSON object that keeps the order of its members, of which two may
// have one name. The objects in it are *Object.
type Object []Member

// Get returns the first member of the name.
func (o *Object) Get(name string) (any, bool) {
	i := o.index(name)
	if i < 0 {
		return nil, false
	}
	return (*o)[i].Value, true
}

// Set replaces the first member of the name, or adds one at the end. A value of
// nil is null.
func (o *Object) Set(name string, value any) {
	if i := o.index(name); i >= 0 {
		(*o)[i].Value = value
		return
	}
	*o = append(*o, Member{name, value})
}

// Delete leaves out the members of the name.
func (o *Object) Delete(name string) {
	*o = slices.DeleteFunc(*o, func(m Member) bool { return m.Name == name })
}

// Child returns the object that is the member's value, which is put there if the
// value is another.
func (o *Object) Child(name string) *Object {
	value, _ := o.Get(name)
	child, ok := value.(*Object)
	if !ok {
		child = &Object{}
		o.Set(name, child)
	}
	return child
}

func (o *Object) index(name string) int {
	return slices.IndexFunc(*o, func(m Member) bool { return m.Name == name })
}

// strip leaves out the members without a value: what the machine does not have.
func (o *Object) strip() *Object {
	*o = slices.DeleteFunc(*o, func(m Member) bool { return m.Value == nil })
	return o
}

// sort puts the members in the order of their names, at every depth.
func (o *Object) sort() *Object {
	slices.SortStableFunc(*o, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range *o {
		if child, ok := m.Value.(*Object); ok {
			child.sort()
		}
	}
	return o
}

// MarshalJSON encodes the members in their order.
func (o *Object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range *o {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := encodeJSON(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := encodeJSON(m.Value)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, name, []byte{':'}, value)
	}
	return append(out, '}'), nil
}

// encodeJSON encodes on one line, and leaves <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// texts is a claim that is left out where there is nothing to say.
func texts(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// textOrTexts writes a list of one as a string, as Google does with nonces.
func textOrTexts(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return texts(list)
}
