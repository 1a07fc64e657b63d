package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/attestctl/attestctl/internal/report"
)

// secretSink is where the secret goes. It is opened before the server is asked, so
// that nothing is released which then cannot be kept.
type secretSink struct {
	out  io.Writer
	root *os.Root // of the folder of the file; nil is standard output
	file *os.File
	name string // of the file in its folder
	part string // while it is written
}

// sink opens standard output or a new file beside that of --out.
func (r *request) sink() (*secretSink, error) {
	if r.out == "" || r.out == stdinName {
		return &secretSink{out: r.sys.stdout}, nil
	}
	fail := func(err error) (*secretSink, error) {
		return nil, &exitError{exitTool, fmt.Errorf("--out %s: %w", report.Quote(r.out), err)}
	}
	if info, err := os.Lstat(r.out); err == nil && !info.Mode().IsRegular() {
		return fail(errors.New("there is something that is not a regular file"))
	}
	root, err := os.OpenRoot(filepath.Dir(r.out))
	if err != nil {
		return fail(err)
	}
	s := &secretSink{root: root, name: filepath.Base(r.out)}
	part := "." + s.name + "." + rand.Text() + ".part"
	if s.file, err = root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return fail(errors.Join(err, root.Close()))
	}
	s.out, s.part = s.file, part
	return s, nil
}

// write writes all of the secret; a file has it whole or is what it was.
func (s *secretSink) write(secret []byte) error {
	if _, err := s.out.Write(secret); err != nil {
		return fmt.Errorf("writing the secret: %w", err)
	}
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Sync(), s.file.Close())
	if err == nil {
		err = s.root.Rename(s.part, s.name)
	}
	if err != nil {
		return fmt.Errorf("writing the secret: %w", err)
	}
	s.part = ""
	return nil
}

// discard removes what was not written to its end.
func (s *secretSink) discard() {
	if s.root == nil {
		return
	}
	if s.part != "" {
		s.file.Close()        //nolint:errcheck,gosec // it is removed
		s.root.Remove(s.part) //nolint:errcheck,gosec // the error that led here is told
	}
	s.root.Close() //nolint:errcheck,gosec // every file is closed
}
