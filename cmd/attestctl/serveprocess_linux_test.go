package main

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestServeLeavesNoCore: nothing that a server holds can end in a core file, or be
// read by another process of its user.
func TestServeLeavesNoCore(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	s := startServe(t)
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		t.Errorf("core files up to %d, %d bytes, %v; want none", core.Cur, core.Max, err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable %d, %v; want 0", n, err)
	}
	s.end(syscall.SIGTERM)
}
