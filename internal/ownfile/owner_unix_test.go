//go:build unix

package ownfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attestctl/attestctl/internal/ownfile"
)

// TestForeignOwner: whoever else owns a file can change it and its mode.
func TestForeignOwner(t *testing.T) {
	const nobody = 65534
	name := filepath.Join(t.TempDir(), "f")
	file(t, name, "x", 0o600)
	if err := os.Chown(name, nobody, nobody); err != nil {
		t.Skipf("only root can give a file away: %v", err)
	}
	if data, err := ownfile.ReadPrivate(name, 10); err == nil || !strings.Contains(err.Error(), "another user's") {
		t.Errorf("ReadPrivate of another user's file = %q, %v", data, err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := ownfile.Unwritable(name, info); err == nil {
		t.Error("Unwritable takes another user's file")
	}
	if err := ownfile.AnyMode(name, info); err != nil {
		t.Errorf("AnyMode: %v", err)
	}
}
