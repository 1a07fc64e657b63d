package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// What is replaced in the words of a command.
const (
	placeNonce    = "{nonce}"
	placeAudience = "{audience}"
	placeOutput   = "{output}"
)

// maxAnswer bounds the evidence that is sent: a server takes no more.
const maxAnswer = 1 << 20

// wordSplitter splits a command at spaces and tabs. Between two ' or two " everything
// is taken as it is; quoted and other parts without a space between them are one
// word. There are no escapes, variables or patterns.
type wordSplitter struct {
	words []string
	word  strings.Builder
	open  bool // there is a word, be it empty
	quote rune // the one that is open, or 0
}

func splitWords(text string) ([]string, error) {
	var s wordSplitter
	for _, c := range text {
		if c != '\t' && unicode.IsControl(c) {
			return nil, errors.New("a control character in the command")
		}
		s.add(c)
	}
	if s.quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", s.quote)
	}
	s.end()
	return s.words, nil
}

func (s *wordSplitter) add(c rune) {
	switch {
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.word.WriteRune(c)
	case c == '\'' || c == '"':
		s.quote, s.open = c, true
	case c == ' ' || c == '\t':
		s.end()
	default:
		s.word.WriteRune(c)
		s.open = true
	}
}

func (s *wordSplitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

// evidenceOfCommand runs the command that attests for the nonce and returns what it
// made.
func (r *request) evidenceOfCommand(ctx context.Context, nonce string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "attestctl-request-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in a folder for such files, and holds no secret
	file := filepath.Join(dir, "evidence")
	places := strings.NewReplacer(placeNonce, nonce, placeAudience, r.audience, placeOutput, file)
	args, toFile := make([]string, len(r.words)), false
	for i, w := range r.words {
		args[i] = places.Replace(w)
		toFile = toFile || strings.Contains(w, placeOutput)
	}
	printed, err := r.command(ctx, args, toFile)
	switch {
	case err != nil:
		return nil, hint.New(fmt.Errorf("running %s: %w", report.Quote(args[0]), err), "run the command by itself with a nonce of 64 hex digits")
	case toFile:
		if printed, err = readAnswer(file); err != nil {
			return nil, fmt.Errorf("%s wrote no evidence: %w", report.Quote(args[0]), err)
		}
	}
	switch {
	case len(printed) == 0:
		return nil, hint.New(fmt.Errorf("%s made no evidence", report.Quote(args[0])), "it must print the evidence, or write it to {output}")
	case len(printed) > maxAnswer:
		return nil, fmt.Errorf("%s made more than %d MiB of evidence", report.Quote(args[0]), maxAnswer>>20)
	}
	return printed, nil
}

// command runs a program and returns what it printed. What it says on standard error
// is shown, and what it prints beside a file of evidence too.
func (r *request) command(ctx context.Context, args []string, toFile bool) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the user names the command
	cmd.WaitDelay = time.Second
	cmd.Stderr = r.sys.stderr
	if toFile {
		cmd.Stdout = r.sys.stderr
		return nil, cmd.Run()
	}
	out := &capped{left: maxAnswer + 1}
	cmd.Stdout = out
	err := cmd.Run()
	return out.Bytes(), err
}

// capped keeps the first bytes of what is written to it.
type capped struct {
	bytes.Buffer

	left int
}

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p[:min(len(p), c.left)])
	c.left -= n
	return len(p), err
}

// ReadFrom would go around the cap.
func (c *capped) ReadFrom(from io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, from)
}

func readAnswer(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // in a folder of our own
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, maxAnswer+1))
}
