package audit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFileMoved: what is written to a file that is not at its path any more, or that
// somebody else has changed the size of, is not on record, now or later.
func TestFileMoved(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"cut":     func(path string) error { return os.Truncate(path, 100) },
		"replaced": func(path string) error {
			return replaceBy(path, func(data []byte) error { return os.WriteFile(path, data, 0o600) })
		},
		"linked": func(path string) error {
			return replaceBy(path, func([]byte) error { return os.Symlink(path+".1", path) })
		},
		"written to": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("{}\n")
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			l, err := Open(path, testKey, options(1000))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Append(t.Context(), Record{DecisionID: "1"}); err != nil {
				t.Fatal(err)
			}
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := l.Append(t.Context(), Record{DecisionID: "2"}); !errors.Is(err, ErrMoved) {
					t.Errorf("Append = %v, want ErrMoved", err)
				}
			}
			if err := l.Err(); !errors.Is(err, ErrMoved) {
				t.Errorf("Err = %v, want ErrMoved", err)
			}
			if err := l.Close(); !errors.Is(err, ErrMoved) {
				t.Errorf("Close = %v, want ErrMoved", err)
			}
		})
	}
}

// replaceBy moves the file away and puts something in its place.
func replaceBy(path string, put func(data []byte) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(path, path+".1"), put(data))
}
