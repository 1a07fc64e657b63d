package evidence

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// goJSON decodes what encoding/json writes of the Go struct of a message: names as
// in the .proto file, bytes in base64, enums and 64-bit integers as numbers, and
// nothing of a field at its default.
type goJSON struct {
	unknown int
	lossy   []string // integers of 64 bits that were rounded: they are left out
	rounded []string // their names
}

// message decodes an object into m. The member except is somebody else's.
func (d *goJSON) message(n strictjson.Node, m protoreflect.Message, except string) error {
	if n.Kind != strictjson.Object {
		return fmt.Errorf("%v, want an object", n.Kind)
	}
	for _, v := range n.Members {
		field := m.Descriptor().Fields().ByName(protoreflect.Name(v.Name))
		switch {
		case v.Name == except:
			continue
		case field == nil || field.ContainingOneof() != nil:
			d.unknown++
			continue
		case v.Value.Kind == strictjson.Null:
			continue
		}
		if err := d.field(v.Value, m, field); err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return nil
}

func (d *goJSON) field(n strictjson.Node, m protoreflect.Message, f protoreflect.FieldDescriptor) error {
	switch {
	case f.IsMap():
		return d.entries(n, m.Mutable(f).Map(), f)
	case f.IsList():
		list := m.Mutable(f).List()
		return intoList(maxMessages, func(n strictjson.Node) error {
			if f.Kind() == protoreflect.MessageKind {
				return d.message(n, list.AppendMutable().Message(), "")
			}
			v, err := d.scalar(n, f)
			if err == nil {
				list.Append(v)
			}
			return err
		})(n)
	case f.Kind() == protoreflect.MessageKind:
		return d.message(n, m.Mutable(f).Message(), "")
	}
	v, err := d.scalar(n, f)
	if err == nil && v.IsValid() {
		m.Set(f, v)
	}
	return err
}

// entries decodes a map, whose keys are texts or integers in their one spelling.
func (d *goJSON) entries(n strictjson.Node, m protoreflect.Map, f protoreflect.FieldDescriptor) error {
	if n.Kind != strictjson.Object {
		return fmt.Errorf("%v, want an object", n.Kind)
	}
	for _, v := range n.Members {
		key := protoreflect.ValueOfString(v.Name)
		if f.MapKey().Kind() == protoreflect.Uint32Kind {
			i, err := strconv.ParseUint(v.Name, 10, 32)
			if err != nil || strconv.FormatUint(i, 10) != v.Name {
				return fmt.Errorf("%s is not a number in its one spelling", strictjson.Quote(v.Name))
			}
			key = protoreflect.ValueOfUint32(uint32(i))
		}
		value, err := d.scalar(v.Value, f.MapValue())
		if err != nil {
			return fmt.Errorf("%s: %w", strictjson.Quote(v.Name), err)
		}
		m.Set(key.MapKey(), value)
	}
	return nil
}

// scalar decodes one value. The zero Value is an integer that was rounded.
func (d *goJSON) scalar(n strictjson.Node, f protoreflect.FieldDescriptor) (none protoreflect.Value, err error) {
	switch f.Kind() { //nolint:exhaustive // the messages of an attestation have no other kinds
	case protoreflect.BytesKind:
		text, err := stringOf(n)
		if err != nil {
			return none, err
		}
		data, err := decodeBase64(base64.StdEncoding, text)
		return protoreflect.ValueOfBytes(data), err
	case protoreflect.StringKind:
		text, err := stringOf(n)
		return protoreflect.ValueOfString(text), err
	case protoreflect.EnumKind:
		v, err := wholeNumber(n, math.MaxInt32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(v)), err //nolint:gosec // was bounded
	case protoreflect.Uint32Kind:
		v, err := wholeNumber(n, math.MaxUint32)
		return protoreflect.ValueOfUint32(uint32(v)), err //nolint:gosec // was bounded
	case protoreflect.Uint64Kind:
		v, err := wholeNumber(n, maxExact)
		if errors.Is(err, errRounded) {
			d.lossy = append(d.lossy, fmt.Sprintf("%s %s", f.Name(), n.Text))
			d.rounded = append(d.rounded, string(f.Name()))
			return none, nil
		}
		return protoreflect.ValueOfUint64(v), err
	}
	return none, fmt.Errorf("a field of kind %v", f.Kind())
}

// maxExact is the largest integer that no other integer becomes as a float64.
const maxExact = 1<<53 - 1

var errRounded = errors.New("beyond what a float64 holds exactly")

// wholeNumber decodes an integer of 0 to limit from any spelling of a float64, as
// 196608, 196608.0 or 1.96608e+05. What is beyond maxExact and not beyond 64 bits
// is errRounded.
func wholeNumber(n strictjson.Node, limit uint64) (uint64, error) {
	if n.Kind != strictjson.Number {
		return 0, fmt.Errorf("%v, want a number", n.Kind)
	}
	about, err := strconv.ParseFloat(n.Text, 64)
	if err != nil || about < 0 || about > 1<<64 || about == 0 && n.Text[0] == '-' {
		return 0, fmt.Errorf("%s is not an integer of 64 bits without a sign", n.Text)
	}
	digits, whole := integerDigits(n.Text)
	if !whole {
		return 0, fmt.Errorf("%s is not an integer", n.Text)
	}
	v, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case err != nil || v > maxExact:
		if limit < maxExact {
			return 0, fmt.Errorf("%s is more than %d", n.Text, limit)
		}
		return 0, errRounded
	case v > limit:
		return 0, fmt.Errorf("%s is more than %d", n.Text, limit)
	}
	return v, nil
}

// integerDigits writes a JSON number of at most 2^64 without point and exponent.
func integerDigits(text string) (digits string, whole bool) {
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	left, right, _ := strings.Cut(mantissa, ".")
	shift, err := strconv.Atoi(cmp.Or(power, "0"))
	if err != nil {
		return "", false
	}
	switch {
	case shift < 0: // an integer that ends with zeros
		cut := max(0, len(left)+shift)
		left, right = left[:cut], left[cut:]+right
	case shift <= len(right):
		left, right = left+right[:shift], right[shift:]
	default:
		left, right = left+right+strings.Repeat("0", shift-len(right)), ""
	}
	return cmp.Or(left, "0"), strings.Trim(right, "0") == ""
}
