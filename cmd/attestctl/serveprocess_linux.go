package main

import "golang.org/x/sys/unix"

// closeMemory forbids core files, and ptrace and /proc/PID/mem to processes that are
// not root's (prctl(2), PR_SET_DUMPABLE).
func closeMemory() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
