package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// keeper reads like R and keeps the buffer it was given.
type keeper struct {
	io.Reader

	err error // in place of io.EOF
	got []byte
}

func (k *keeper) Read(p []byte) (int, error) {
	if k.got == nil {
		k.got = p
	}
	n, err := k.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = k.err
	}
	return n, err
}

// TestReadAll: the whole or nothing, and of nothing no byte is left.
func TestReadAll(t *testing.T) {
	for _, tc := range []struct {
		name  string
		limit int
		err   error
		fails bool
	}{
		{"whole", 6, io.EOF, false},
		{"whole, with room", 60, io.EOF, false},
		{"one byte too many", 5, io.EOF, true},
		{"torn", 60, io.ErrUnexpectedEOF, true},
		{"an end that is wrapped", 60, fmt.Errorf("x: %w", io.EOF), true},
	} {
		k := &keeper{Reader: bytes.NewReader([]byte("secret")), err: tc.err}
		got, err := readAll(k, tc.limit)
		if (err != nil) != tc.fails || !tc.fails && string(got) != "secret" || tc.fails && got != nil {
			t.Errorf("%s: readAll = %q, %v", tc.name, got, err)
		}
		if left := !bytes.Equal(k.got, make([]byte, len(k.got))); left != !tc.fails {
			t.Errorf("%s: the buffer holds bytes: %t", tc.name, left)
		}
	}
}
