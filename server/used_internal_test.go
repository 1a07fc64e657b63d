//go:build unix

package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestUsedDirRefused: whoever else can write the folder, or what it holds, can make the
// server forget what was used.
func TestUsedDirRefused(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"its parent is everybody's": func(dir string) error { return os.Chmod(dir, 0o777) },
		"everybody's":               func(dir string) error { return os.Chmod(filepath.Join(dir, "tokens"), 0o777) },
		"a link": func(dir string) error {
			tokens := filepath.Join(dir, "tokens")
			if err := os.Rename(tokens, filepath.Join(dir, "empty")); err != nil {
				return err
			}
			return os.Symlink("empty", tokens)
		},
		"a file": func(dir string) error {
			tokens := filepath.Join(dir, "tokens")
			if err := os.Remove(tokens); err != nil {
				return err
			}
			return os.WriteFile(tokens, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &Options{UsedDir: t.TempDir(), Now: time.Now}
			if err := os.Chmod(o.UsedDir, 0o700); err != nil {
				t.Fatal(err)
			}
			_, _, end, err := openUsed(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if err := harm(o.UsedDir); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := openUsed(o); err == nil {
				t.Error("openUsed takes it")
			}
		})
	}
}
