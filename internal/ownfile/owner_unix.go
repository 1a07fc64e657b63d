//go:build unix

package ownfile

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign reports whether a file is neither this user's nor root's: then its owner,
// who may change its mode, is one of the others.
func foreign(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
