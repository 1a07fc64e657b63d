package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const formatBinary = "attestation-binarypb"

// fitsBinary reports whether b begins with a length-delimited field that
// attest.Attestation has. Text must be a sequence of fields to its end too: a
// line feed is such a beginning.
func fitsBinary(b []byte) bool {
	fields := (*attest.Attestation)(nil).ProtoReflect().Descriptor().Fields()
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || typ != protowire.BytesType || fields.ByNumber(num) == nil || fitsSNPBinary(b) {
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
func decodeBinary(b []byte) (Bundle, error) {
	msg := new(attest.Attestation)
	unknown, err := unmarshalBinary(b, msg)
	if err != nil {
		return nil, err
	}
	return newAttestation(formatBinary, msg, unknown)
}

// unmarshalBinary decodes a message and counts its unknown fields. The wire
// format merges repeated singular fields and concatenated messages, keeps the
// last of equal map keys and reads one number from many spellings. A walk over
// the tags refuses all of that first, and bounds what the decoder will allocate;
// that the message then has the size of the input says it once more.
func unmarshalBinary(b []byte, msg proto.Message) (unknown int, err error) {
	w := wireWalk{left: maxWireFields}
	if err := w.message(b, msg.ProtoReflect().Descriptor(), 0); err != nil {
		return 0, err
	}
	if err := proto.Unmarshal(b, msg); err != nil {
		return 0, plainProto(err)
	}
	if size := proto.Size(msg); size != len(b) {
		return 0, fmt.Errorf("%w: %d bytes decode to a message of %d", errSecondReading, len(b), size)
	}
	return w.unknown, nil
}

// plainProto takes off what the protobuf library puts before its errors. It
// varies on purpose from build to build, to keep callers from comparing it.
func plainProto(err error) error {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return errors.New(strings.TrimPrefix(text, "proto: "))
}
