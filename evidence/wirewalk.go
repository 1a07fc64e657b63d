package evidence

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/attestctl/attestctl/internal/hint"
)

var errSecondReading = errors.New("the encoding has a second reading")

const (
	maxWireFields = 4096
	maxWireDepth  = 8
)

// wireWalk visits every field of a message in the wire format and refuses what
// an encoder does not write: a singular field or map key twice, a default value
// spelled out, a number in more bytes than it needs or beyond its type.
type wireWalk struct {
	left    int // fields that may still come
	unknown int
}

func (w *wireWalk) message(b []byte, desc protoreflect.MessageDescriptor, depth int) error {
	if depth > maxWireDepth {
		return fmt.Errorf("messages are nested more than %d deep", maxWireDepth)
	}
	seen := wireSeen{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return hint.New(fmt.Errorf("%s is cut off or damaged: %w", desc.Name(), plainProto(protowire.ParseError(n))),
				"copy the file in binary mode, and whole")
		}
		if w.left--; w.left < 0 {
			return fmt.Errorf("more than %d fields", maxWireFields)
		}
		field := desc.Fields().ByNumber(num)
		if field == nil {
			w.unknown++
		} else if err := w.field(b[:n], typ, field, seen, depth); err != nil {
			return fmt.Errorf("%s: %w", field.FullName(), err)
		}
		b = b[n:]
	}
	return nil
}

// wireSeen holds the singular fields and map keys that a message has had.
type wireSeen map[string]bool

// once reports whether key has not come before.
func (s wireSeen) once(key string) error {
	if s[key] {
		return fmt.Errorf("%w: it comes twice", errSecondReading)
	}
	s[key] = true
	return nil
}

func (w *wireWalk) field(b []byte, typ protowire.Type, f protoreflect.FieldDescriptor, seen wireSeen, depth int) error {
	tag, n := protowire.ConsumeVarint(b)
	if protowire.SizeVarint(tag) != n {
		return fmt.Errorf("%w: its tag is longer than it need be", errSecondReading)
	}
	if !f.IsList() && !f.IsMap() {
		name := string(f.Name())
		if o := f.ContainingOneof(); o != nil {
			name = string(o.Name()) // one of them, once
		}
		if err := seen.once(name); err != nil {
			return err
		}
	}
	if typ == protowire.VarintType {
		return checkVarint(b[n:], f)
	}
	if typ == protowire.BytesType {
		return w.content(b[n:], f, seen, depth)
	}
	return nil // fixed sizes have one spelling
}

// checkVarint requires the shortest spelling of a number that its type has, and
// none of a default.
func checkVarint(b []byte, f protoreflect.FieldDescriptor) error {
	v, n := protowire.ConsumeVarint(b)
	limit := uint64(math.MaxUint64)
	switch f.Kind() { //nolint:exhaustive // the other kinds take 64 bits
	case protoreflect.BoolKind:
		limit = 1
	case protoreflect.Uint32Kind:
		limit = math.MaxUint32
	case protoreflect.Int32Kind, protoreflect.EnumKind: // negative ones take ten bytes
		if v > math.MaxInt32 && v < 1<<64-1<<31 {
			limit = math.MaxInt32
		}
	}
	switch {
	case protowire.SizeVarint(v) != n:
		return fmt.Errorf("%w: a number is longer than it need be", errSecondReading)
	case v > limit:
		return fmt.Errorf("%w: %d is beyond the field's type", errSecondReading, v)
	case v == 0 && !f.HasPresence() && !f.IsList() && !f.ContainingMessage().IsMapEntry():
		return fmt.Errorf("%w: a default value is spelled out", errSecondReading)
	}
	return nil
}

// content checks a length-delimited field: a message, a map entry, bytes or text.
func (w *wireWalk) content(b []byte, f protoreflect.FieldDescriptor, seen wireSeen, depth int) error {
	size, n := protowire.ConsumeVarint(b)
	if protowire.SizeVarint(size) != n {
		return fmt.Errorf("%w: its length is longer than it need be", errSecondReading)
	}
	b = b[n:]
	switch {
	case f.IsMap():
		num, _, n := protowire.ConsumeField(b)
		if num != f.MapKey().Number() {
			return fmt.Errorf("%w: an entry does not begin with its key", errSecondReading)
		}
		if err := seen.once(string(f.Name()) + string(b[:n])); err != nil {
			return err
		}
		return w.message(b, f.Message(), depth+1)
	case f.Kind() == protoreflect.MessageKind:
		return w.message(b, f.Message(), depth+1)
	case len(b) == 0 && !f.HasPresence() && !f.IsList() && !f.ContainingMessage().IsMapEntry():
		return fmt.Errorf("%w: a default value is spelled out", errSecondReading)
	}
	return nil
}
