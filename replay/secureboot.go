package replay

import (
	"bytes"
	"fmt"
)

// SecureBoot is the content of PCR 7. What lies before its separator (Enabled,
// PK, KEK, DB, DBX) only firmware can have measured; the rest is forgeable. A
// nil field was not measured.
type SecureBoot struct {
	Enabled *bool
	PK      *Database
	KEK     *Database
	DB      *Database
	DBX     *Database

	Authority []Authority
	SBATLevel string // as shim measured it, without the final newline: "sbat,1,2021030218"
	MOK       MOK
}

// Database is one of PK, KEK, db and dbx as measured. Empty means that the
// variable was measured as empty or unset.
type Database struct {
	Signatures []Signature
}

// readSecureBoot reads PCR 7 (PFP 1.06, 3.3.4.8). Every event there has to be
// the hash of its data, so nothing can hide.
func (r *bootReader) readSecureBoot() {
	separated := false
	for i := range r.events {
		m := &r.events[i]
		switch {
		case m.PCR != 7:
		case m.separates():
			separated = true
		case m.is(actionUEFIDebug), m.is(actionDMADisabled):
			r.readWarning(m, separated)
		case separated:
			r.readAuthority(m)
		default:
			r.readConfig(m)
		}
	}
	if separated { // PCR 7 is there: what is not in it did not happen
		for _, flag := range []**bool{&r.boot.UEFIDebug, &r.boot.DMAProtectionDisabled} {
			if *flag == nil {
				*flag = new(false)
			}
		}
	}
	r.checkEnabled()
}

// readWarning reads what firmware says of itself in PCR 7 (PFP 1.06, 3.3.4.8).
// Behind the separator somebody else says it.
func (r *bootReader) readWarning(m *measured, separated bool) {
	r.want(m, evEFIAction)
	switch {
	case separated:
		r.found(m, "an action of the firmware after the separator")
	case m.is(actionUEFIDebug):
		r.boot.UEFIDebug = new(true)
	default:
		r.boot.DMAProtectionDisabled = new(true)
	}
}

// readConfig reads a variable that firmware measured before the separator.
func (r *bootReader) readConfig(m *measured) {
	if !m.verified {
		r.found(m, "the digest is not that of the data, as it must be in PCR 7")
		return
	}
	v, rest, err := parseVariable(m.Data)
	switch {
	case err != nil:
		r.found(m, err.Error())
		return
	case len(rest) != 0:
		r.found(m, fmt.Sprintf("%d bytes follow variable %q", len(rest), v.name))
		return
	}
	r.want(m, evVariableConfig)
	space, ok := secureBootVariable(v.name)
	switch {
	case !ok: // other configuration decides no claim
	case v.guid != space:
		r.found(m, fmt.Sprintf("variable %q has GUID %v, want %v", v.name, v.guid, space))
	default:
		if err := r.boot.SecureBoot.set(v); err != nil {
			r.found(m, fmt.Sprintf("variable %q: %v", v.name, err))
		}
	}
}

// secureBootVariable returns the name space a Secure Boot variable must be in.
func secureBootVariable(name string) (guid, bool) {
	switch name {
	case "SecureBoot", "PK", "KEK":
		return guidGlobal, true
	case "db", "dbx":
		return guidImageSecurity, true
	default:
		return guid{}, false
	}
}

func (s *SecureBoot) set(v variable) error {
	var db **Database
	switch v.name {
	case "SecureBoot":
		return setFlag(&s.Enabled, v.data)
	case "PK":
		db = &s.PK
	case "KEK":
		db = &s.KEK
	case "db":
		db = &s.DB
	case "dbx":
		db = &s.DBX
	default:
		return fmt.Errorf("not a Secure Boot variable")
	}
	if *db != nil {
		return fmt.Errorf("measured twice")
	}
	signatures, err := parseDatabase(v.data)
	if err != nil {
		return err
	}
	*db = &Database{Signatures: signatures}
	return nil
}

// setFlag sets a variable that is one byte, 0 or 1 (UEFI 2.10, 3.3). No other
// value means off.
func setFlag(flag **bool, data []byte) error {
	on := bytes.Equal(data, []byte{1})
	switch {
	case *flag != nil:
		return fmt.Errorf("measured twice")
	case !on && !bytes.Equal(data, []byte{0}):
		return fmt.Errorf("value is %.8x (%d bytes), want 00 or 01", data, len(data))
	}
	*flag = &on
	return nil
}

// checkEnabled wants what Secure Boot cannot do without: keys, and a key that
// was used.
func (r *bootReader) checkEnabled() {
	s := &r.boot.SecureBoot
	if s.Enabled == nil || !*s.Enabled {
		return
	}
	for _, d := range []struct {
		name string
		db   *Database
	}{{"PK", s.PK}, {"KEK", s.KEK}, {"db", s.DB}} {
		if d.db == nil || len(d.db.Signatures) == 0 {
			r.missing(7, "SecureBoot is 1 but there is no "+d.name)
		}
	}
	if len(s.Authority) == 0 {
		r.missing(7, "SecureBoot is 1 but no key authorised an image")
	}
}
