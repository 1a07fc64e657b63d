package evidence

import (
	"fmt"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	formatTextproto = "attestation-textproto"
	formatJSON      = "attestation-protojson"
)

// fitsTextproto reports whether b is text that begins like a field.
func fitsTextproto(b []byte) bool {
	c := firstByte(b)
	return (c == '#' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') && isText(b) && !fitsSNPText(b) && !fitsToken(b)
}

// fitsJSON also takes an object without a name of any format: its decoder says
// what is wrong with the names.
func fitsJSON(b []byte) bool { return fitsNames(b, formatJSON) || fitsNoNames(b) }

// decodeTextproto decodes the form that `gotpm attest --format textproto` writes.
func decodeTextproto(b []byte) (Bundle, error) {
	msg := new(attest.Attestation)
	if err := unmarshalText(b, msg); err != nil {
		return nil, err
	}
	return newAttestation(formatTextproto, msg, 0)
}

// decodeJSON decodes the protobuf JSON form.
func decodeJSON(b []byte) (Bundle, error) {
	msg := new(attest.Attestation)
	if err := unmarshalJSON(b, msg); err != nil {
		return nil, err
	}
	return newAttestation(formatJSON, msg, 0)
}

// unmarshalText decodes the text form of a message. Unknown fields and repeated
// singular fields are errors of the library; map entries of equal keys, which it
// merges, show as braces that no message answers to.
func unmarshalText(b []byte, msg proto.Message) error {
	braces, err := boundedBraces(b, true)
	if err != nil {
		return err
	}
	if err := prototext.Unmarshal(b, msg); err != nil {
		return fmt.Errorf("textproto: %w", plainProto(err))
	}
	if n := countMessages(msg) - 1; n != braces {
		return fmt.Errorf("%w: %d braces decode to %d messages", errSecondReading, braces, n)
	}
	return nil
}

// unmarshalJSON decodes the JSON form of a message. Unknown, repeated and equal
// names and trailing bytes are errors of the library.
func unmarshalJSON(b []byte, msg proto.Message) error {
	if _, err := boundedBraces(b, false); err != nil {
		return err
	}
	if err := protojson.Unmarshal(b, msg); err != nil {
		return fmt.Errorf("protojson: %w", plainProto(err))
	}
	return nil
}

func boundedBraces(b []byte, comments bool) (int, error) {
	n, err := countBraces(b, comments)
	if err == nil && n > maxMessages {
		err = fmt.Errorf("%d messages, at most %d are read", n, maxMessages)
	}
	return n, err
}

func countIn(m protoreflect.Message) int {
	count := 1
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			count += v.Map().Len()
			if f.MapValue().Kind() == protoreflect.MessageKind {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					count += countIn(v.Message())
					return true
				})
			}
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				count += countIn(v.List().Get(i).Message())
			}
		default:
			count += countIn(v.Message())
		}
		return true
	})
	return count
}
