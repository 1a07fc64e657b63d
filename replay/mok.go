package replay

import "bytes"

// MOK is what shim measured of the machine owner keys (shim, README.tpm). All
// of it is forgeable.
type MOK struct {
	ValidationDisabled *bool // MokSBState is 1: shim checks no signature, whatever Secure Boot says
	ListTrusted        *bool // MokListTrusted is 1: Linux trusts the machine owner keys for modules
	Lists              []MOKEvent
}

// MOKEvent is an event of PCR 14: the digest of a variable.
type MOKEvent struct {
	UntrustedName string // "MokList", "MokListX", ...; not measured
	Digest        string
}

func (m *MOK) present() bool {
	return m.ValidationDisabled != nil || m.ListTrusted != nil || len(m.Lists) > 0
}

// readMOK reads PCR 14. Its digests are those of the variables; the data is only
// their name.
func (r *bootReader) readMOK() {
	mok := &r.boot.SecureBoot.MOK
	for i := range r.events {
		m := &r.events[i]
		if m.PCR != 14 {
			continue
		}
		r.want(m, evIPL)
		name := bytes.TrimSuffix(m.Data, []byte{0})
		if len(name) == 0 || !printable(name, "") {
			r.found(m, "the name is not printable UTF-8")
			continue
		}
		mok.Lists = append(mok.Lists, MOKEvent{UntrustedName: string(name), Digest: r.digest(m)})
		if string(name) == "MokSBState" {
			r.readMokSBState(m)
		}
	}
}

// readMokSBState lets PCR 14 switch the flag on, as shim measures the variable
// there too, but not off: the name is not measured.
func (r *bootReader) readMokSBState(m *measured) {
	if off, _ := r.hashes(m.Event, []byte{0}); off {
		return
	}
	if on, _ := r.hashes(m.Event, []byte{1}); !on {
		r.found(m, "MokSBState is neither 0 nor 1")
	}
	disabled := true
	r.boot.SecureBoot.MOK.ValidationDisabled = &disabled
}
