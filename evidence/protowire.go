package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/attestctl/attestctl/internal/hint"
)

const formatBinary = "attestation-binarypb"

// fitsBinary reports whether b begins with a length-delimited field that
// attest.Attestation has. Text must be a sequence of fields to its end too: a
// line feed is such a beginning.
func fitsBinary(b []byte) bool {
	fields := (*attest.Attestation)(nil).ProtoReflect().Descriptor().Fields()
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || typ != protowire.BytesType || fields.ByNumber(num) == nil {
		return false
	}
	return !isText(b) || isFields(b)
}

func isFields(b []byte) bool {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// decodeBinary decodes an attest.Attestation in the protobuf wire format.
// The wire format merges repeated singular fields and concatenated messages,
// keeps the last of equal map keys and reads one number from many spellings.
// A walk over the tags first bounds what the decoder will allocate; then, as a
// message has only one size, equal size means that none of that has happened.
func decodeBinary(b []byte) (Bundle, error) {
	w := wireWalk{left: maxWireFields}
	if err := w.message(b, (*attest.Attestation)(nil).ProtoReflect().Descriptor(), 0); err != nil {
		return nil, err
	}
	msg := new(attest.Attestation)
	if err := proto.Unmarshal(b, msg); err != nil {
		return nil, plainProto(err)
	}
	if size := proto.Size(msg); size != len(b) {
		return nil, fmt.Errorf("%w: %d bytes decode to a message of %d", errSecondReading, len(b), size)
	}
	return newAttestation(formatBinary, msg, w.unknown)
}

var errSecondReading = errors.New("the encoding has a second reading (a repeated field, key or number form)")

// plainProto takes off what the protobuf library puts before its errors. It
// varies on purpose from build to build, to keep callers from comparing it.
func plainProto(err error) error {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return errors.New(strings.TrimPrefix(text, "proto: "))
}

const (
	maxWireFields = 4096
	maxWireDepth  = 8
)

// wireWalk visits every field of a message in the wire format.
type wireWalk struct {
	left    int // fields that may still come
	unknown int
}

func (w *wireWalk) message(b []byte, desc protoreflect.MessageDescriptor, depth int) error {
	if depth > maxWireDepth {
		return fmt.Errorf("messages are nested more than %d deep", maxWireDepth)
	}
	fields := desc.Fields()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return hint.New(fmt.Errorf("%s is cut off or damaged: %w", desc.Name(), plainProto(protowire.ParseError(n))),
				"copy the file in binary mode, and whole")
		}
		if w.left--; w.left < 0 {
			return fmt.Errorf("more than %d fields", maxWireFields)
		}
		field := fields.ByNumber(num)
		switch {
		case field == nil:
			w.unknown++
		case field.Kind() == protoreflect.MessageKind && typ == protowire.BytesType:
			if err := w.message(content(b), field.Message(), depth+1); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// content returns the bytes of the length-delimited field that b begins with.
func content(b []byte) []byte {
	_, _, n := protowire.ConsumeTag(b)
	if n < 0 {
		return nil
	}
	v, n := protowire.ConsumeBytes(b[n:])
	if n < 0 {
		return nil
	}
	return v
}
