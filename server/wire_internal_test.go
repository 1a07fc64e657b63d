package server

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readOnly is a connection that only reads.
type readOnly struct {
	net.Conn

	r io.Reader
}

func (c readOnly) Read(p []byte) (int, error) { return c.r.Read(p) }

// passes returns what comes through, read in pieces of any size.
func passes(tb testing.TB, in string) string {
	tb.Helper()
	var first []byte
	for i, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in))} {
		out, err := io.ReadAll(&wire{Conn: readOnly{r: r}})
		if err != nil {
			tb.Fatal(err)
		}
		bad := bytes.HasSuffix(out, []byte(poison))
		if i == 0 {
			first = out
		} else if bad != bytes.HasSuffix(first, []byte(poison)) || !bad && !bytes.Equal(out, first) {
			tb.Errorf("%q: in pieces %q, at once %q", in, out, first)
		}
	}
	return string(first)
}

func TestWire(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, in := range []string{
		"", get, get + get, "GET / HTTP/1.1\r\nHo",
		"POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n\n a\r\r\n\n" + get,
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 1000) + "\r\n\r\n" + get,
	} {
		if got := passes(t, in); got != in {
			t.Errorf("%q becomes %q", in, got)
		}
	}
	for _, in := range []string{
		"\r\n" + get, "\n" + get,
		"GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n",
		"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / HTTP/1.1\r\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"POST / HTTP/1.1\r\ncontent-length: 1\r\nCONTENT-LENGTH : 1\r\n\r\na",
		"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\na",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\na",
		get + "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\n",
	} {
		if got := passes(t, in); !strings.HasSuffix(got, poison) || !strings.HasPrefix(in, strings.TrimSuffix(got, poison)) {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}

// FuzzWire: what passes is what came, and what has one reading in pieces has it at once.
func FuzzWire(f *testing.F) {
	f.Add("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\n\r\n")
	f.Add("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		if got := passes(t, in); got != in && !strings.HasPrefix(in, strings.TrimSuffix(got, poison)) {
			t.Errorf("%q becomes %q", in, got)
		}
	})
}
