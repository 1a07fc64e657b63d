package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Value holds the bytes of a secret. However it is printed, encoded or logged, it
// reads "[redacted]"; only Bytes gives them away.
type Value struct{ box *box }

// box keeps the bytes from package fmt, which calls no method of a Value in an
// unexported field and follows one pointer there, but not two.
type box struct{ data *[]byte }

// NewValue makes a Value of data, which it owns from then on.
func NewValue(data []byte) *Value { return &Value{&box{&data}} }

// Bytes returns the secret, byte for byte as its store has it, and nil after
// Close. The slice is the Value's own: it is zeroed by Close.
func (v *Value) Bytes() []byte {
	if v == nil || v.box == nil {
		return nil
	}
	return *v.box.data
}

// Close zeroes the bytes. What libraries copied on the way here (an HTTP
// connection, a JSON decoder, age's buffers) is out of its reach. It may be called
// again, and on nil.
func (v *Value) Close() {
	if v == nil || v.box == nil {
		return
	}
	wipe(*v.box.data)
	*v.box.data = nil
}

func wipe(b []byte) { clear(b[:cap(b)]) }

// Format implements fmt.Formatter for every verb.
func (Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String implements fmt.Stringer.
func (Value) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Value) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler, which JSON, XML and YAML use too.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }
