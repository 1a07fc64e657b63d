package replay

import (
	"bytes"
	"fmt"
)

// GRUB is what GRUB measured: every string it executed or passed on, and every
// file it read.
type GRUB struct {
	// Commands are the strings of PCR 8 in measured order, the kernel command line
	// and the module command lines among them. The words GRUB logs in front of
	// them ("grub_cmd: ") are not measured and left out.
	Commands []string
	Files    []File

	kernels int // kernel command lines among the commands
}

// File is a file GRUB read, from PCR 9.
type File struct {
	Digest        string
	UntrustedName string // not measured
}

// Tagged is an event of Linux's EFI stub in PCR 9 (PFP 1.06, 10.4.1,
// EV_EVENT_TAG): the digest is that of the initrd or of the load options.
type Tagged struct {
	ID     string // in hex; not measured
	Digest string
}

// grubPrefixes are the words of GRUB 2.04 and later and, without the colon, of
// Fedora's before it. kernel is unmeasured like the rest of the prefix.
var grubPrefixes = []struct {
	text   string
	kernel bool
}{
	{"grub_cmd: ", false},
	{"kernel_cmdline: ", true},
	{"module_cmdline: ", false},
	{"grub_cmd ", false},
	{"grub_kernel_cmdline ", true},
}

// readGRUB reads PCR 8 and 9 (GRUB manual, "Measuring boot components"). No
// event in them is skipped: one that is neither GRUB's nor Linux's is a finding.
func (r *bootReader) readGRUB() {
	var g GRUB
	for i := range r.events {
		m := &r.events[i]
		switch m.PCR {
		case 8:
			r.readCommand(m, &g)
		case 9:
			r.readFile(m, &g)
		}
	}
	if len(g.Commands)+len(g.Files) > 0 {
		r.boot.GRUB = &g
	}
}

func (r *bootReader) readCommand(m *measured, g *GRUB) {
	r.want(m, evIPL)
	text, kernel, ok := grubString(m.Data)
	if !ok {
		r.found(m, "the string does not start as GRUB's do")
		return
	}
	text, ok = r.measuredString(m, text)
	allowed := "\n\t" // menu entries are measured with their line breaks
	if kernel {
		allowed = ""
	}
	switch {
	case !ok:
		r.found(m, "the digest is not that of the string")
		return
	case !printable(text, allowed):
		r.found(m, "the string is not printable UTF-8")
		return
	}
	g.Commands = append(g.Commands, string(text))
	if kernel {
		r.readKernel(m, g, string(text))
	}
}

// readKernel claims a command line only if it is the only one: of two, nothing
// says which kernel runs.
func (r *bootReader) readKernel(m *measured, g *GRUB, line string) {
	if g.kernels++; g.kernels > 1 {
		r.found(m, "second kernel command line")
		r.boot.Kernel = nil
		return
	}
	r.boot.Kernel = &Kernel{CommandLine: line}
}

func grubString(data []byte) (text []byte, kernel, ok bool) {
	for _, p := range grubPrefixes {
		if text, ok = bytes.CutPrefix(data, []byte(p.text)); ok {
			return text, p.kernel, true
		}
	}
	return nil, false, false
}

// measuredString returns the part of the string that was measured. GRUB logs a
// final NUL; upstream does not measure it, Fedora's older grub_cmd does.
func (r *bootReader) measuredString(m *measured, text []byte) ([]byte, bool) {
	short := bytes.TrimSuffix(text, []byte{0})
	if all, _ := r.hashes(m.Event, short); all {
		return short, true
	}
	all, _ := r.hashes(m.Event, text)
	return short, all
}

// readFile reads an event of PCR 9. Neither form is measured, only the digest,
// so the form decides between two ways to list the same digest, and the type
// has to agree.
func (r *bootReader) readFile(m *measured, g *GRUB) {
	if id, ok := taggedID(m.Data); ok {
		r.want(m, evEventTag)
		r.boot.Tagged = append(r.boot.Tagged, Tagged{ID: fmt.Sprintf("0x%08x", id), Digest: r.digest(m)})
		return
	}
	r.want(m, evIPL)
	// RHEL logs the bytes that follow the name in memory too.
	name, _, _ := bytes.Cut(m.Data, []byte{0})
	if !printable(name, "") {
		r.found(m, "the name is not printable UTF-8")
		name = nil
	}
	g.Files = append(g.Files, File{Digest: r.digest(m), UntrustedName: string(name)})
}

// taggedID returns the ID of a TCG_PCClientTaggedEvent that fills data.
func taggedID(data []byte) (uint32, bool) {
	c := cursor{buf: data}
	id := c.u32("ID")
	c.take(uint64(c.u32("size")), "data")
	c.end("event")
	return id, c.err == nil
}
