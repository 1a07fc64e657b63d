package server

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
)

// wireListener makes connections whose requests have one reading only. net/http reads
// more than one: bare line feeds, folded lines, a length that is there twice, a length
// beside chunks. What is in front of this server may read them otherwise (RFC 9112
// 11.2).
type wireListener struct{ net.Listener }

// Accept implements net.Listener.
func (l wireListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c}, nil
}

// wire looks at the header of each request as it passes by. The state is that of the
// goroutine which reads.
type wire struct {
	net.Conn

	lines  int    // of this header, so far
	line   []byte // the beginning of the line, as much as is looked at
	cr     bool   // the last byte was a carriage return
	length int64  // of the body that the header announced; -1 is none so far
	chunks bool   // the body comes in chunks, and the connection ends with it
	body   int64  // bytes of the body that are still to come
	passed bool   // the body is in chunks: nothing is looked at any more

	bad    bool
	poison io.Reader // what is read in the place of what has two readings
}

// poison is no part of any request, wherever it stands in a header: net/http answers
// 400 and closes the connection.
const poison = "\x00:\r\n\r\n"

// maxLine is how much of a line is looked at, in bytes: more than the names and the
// numbers that matter have.
const maxLine = 128

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.bad {
		return w.poison.Read(p)
	}
	n, err := w.Conn.Read(p)
	good := w.scan(p[:n])
	if good == n {
		return n, err
	}
	w.bad, w.poison = true, strings.NewReader(poison)
	if good == 0 {
		return w.poison.Read(p)
	}
	return good, nil
}

// scan returns how many bytes have one reading.
func (w *wire) scan(b []byte) int {
	at := 0
	for at < len(b) && !w.passed {
		if w.body > 0 {
			n := min(w.body, int64(len(b)-at))
			w.body -= n
			at += int(n)
			continue
		}
		part, ends := b[at:], false
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			part, ends = part[:i], true
		}
		if !w.grow(part) {
			return at
		}
		if at += len(part); !ends {
			return at
		}
		if !w.cr || !w.endLine() {
			return at
		}
		at++
	}
	return len(b)
}

// grow takes a part of a line without its line feed. A carriage return is the last.
func (w *wire) grow(part []byte) bool {
	if len(part) == 0 {
		return true
	}
	i := bytes.IndexByte(part, '\r')
	if w.cr || i >= 0 && i != len(part)-1 {
		return false
	}
	if w.cr = i >= 0; w.cr {
		part = part[:i]
	}
	w.line = append(w.line, part[:min(len(part), maxLine-len(w.line))]...)
	return true
}

// endLine judges a whole line.
func (w *wire) endLine() bool {
	line := string(w.line)
	w.line, w.cr = w.line[:0], false
	w.lines++
	switch {
	case w.lines == 1:
		w.length, w.chunks = -1, false
		return line != ""
	case line == "":
		return w.endHeader()
	case line[0] == ' ', line[0] == '\t':
		return false // folded
	}
	name, value, _ := strings.Cut(line, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-length":
		n, err := strconv.ParseUint(strings.Trim(value, " \t"), 10, 63)
		if err != nil || w.length >= 0 {
			return false
		}
		w.length = int64(n)
	case "transfer-encoding":
		if w.chunks {
			return false
		}
		w.chunks = true
	}
	return true
}

func (w *wire) endHeader() bool {
	w.lines, w.passed = 0, w.chunks
	w.body = max(0, w.length)
	return !w.chunks || w.length < 0
}

// CloseWrite ends what is written, so that a client gets its answer though not all was
// read that it sent.
func (w *wire) CloseWrite() error { return closeWrite(w.Conn) }

// CloseWrite does so for a connection without TLS.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
