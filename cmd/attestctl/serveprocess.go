package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

// servingGC is the percentage by which memory may grow between two collections. What
// a server holds is small and what a decision leaves behind is not: with Go's 100 a
// sixth of its time is collecting.
const servingGC = 400

// prepareProcess makes the process one that holds secrets: what it holds is not
// written to a core file, and other processes of its user cannot read it.
func prepareProcess() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(servingGC)
	}
	if err := closeMemory(); err != nil {
		return fmt.Errorf("keeping what the process holds out of core files: %w", err)
	}
	return nil
}
