package replay

import (
	"bytes"
	"fmt"
	"strings"
)

// Authority is a key that firmware or shim used to accept an image (PFP 1.06,
// 3.3.4.8, EV_EFI_VARIABLE_AUTHORITY).
type Authority struct {
	Variable string // where the key is enrolled: "db", "MokList", "Shim" for the one built into shim
	Signature
}

// readAuthority reads an event of PCR 7 after the separator: a used key, or a
// variable of shim.
func (r *bootReader) readAuthority(m *measured) {
	v, err := r.authorityVariable(m)
	if err != nil {
		r.found(m, err.Error())
		return
	}
	r.want(m, evVariableAuthority)
	s := &r.boot.SecureBoot
	space, ok := secureBootVariable(v.name)
	switch {
	case ok && (v.name != "db" || v.guid != space): // firmware cannot have measured it
		err = fmt.Errorf("measured after the separator with GUID %v", v.guid)
	case ok:
		err = s.addAuthority(v)
	case v.guid == guidShim:
		err = s.setShim(v)
	default:
		s.Authority = append(s.Authority, Authority{v.name, authoritySignature(v.data)})
	}
	if err != nil {
		r.found(m, fmt.Sprintf("variable %q: %v", v.name, err))
	}
}

// setShim reads a variable in shim's name space: its configuration, or a key
// from its own lists.
func (s *SecureBoot) setShim(v variable) error {
	switch v.name {
	case "SbatLevel":
		return s.setSBATLevel(v.data)
	case "MokSBState":
		return setFlag(&s.MOK.ValidationDisabled, v.data)
	case "MokListTrusted":
		return setFlag(&s.MOK.ListTrusted, v.data)
	default:
		s.Authority = append(s.Authority, Authority{v.name, authoritySignature(v.data)})
		return nil
	}
}

// authorityVariable decodes the event. shim before version 15.3 logged one byte
// more than it measured, and measured sizeof(UEFI_VARIABLE_DATA) with its
// padding: five zero bytes follow the variable.
func (r *bootReader) authorityVariable(m *measured) (variable, error) {
	data, spare := m.Data, 0
	if !m.verified {
		if len(data) == 0 {
			return variable{}, fmt.Errorf("the digest is not that of the data, as it must be in PCR 7")
		}
		data, spare = data[:len(data)-1], 5
		if all, _ := r.hashes(m.Event, data); !all {
			return variable{}, fmt.Errorf("the digest is not that of the data, as it must be in PCR 7")
		}
	}
	v, rest, err := parseVariable(data)
	switch {
	case err != nil:
		return variable{}, err
	case !bytes.Equal(rest, make([]byte, spare)):
		return variable{}, fmt.Errorf("%d bytes follow variable %q, want %d zeros", len(rest), v.name, spare)
	case !printable([]byte(v.name), ""):
		return variable{}, fmt.Errorf("variable name %q is not printable", v.name)
	}
	return v, nil
}

// addAuthority adds an entry of db that accepted an image: an EFI_SIGNATURE_DATA
// or, from old shims, only the certificate. A whole database is neither.
func (s *SecureBoot) addAuthority(v variable) error {
	sig := authoritySignature(v.data)
	if sig.Type == "unknown" && len(v.data) != 16+32 {
		return fmt.Errorf("%d bytes are neither a certificate nor a SHA-256 entry", len(v.data))
	}
	s.Authority = append(s.Authority, Authority{v.name, sig})
	return nil
}

func authoritySignature(data []byte) Signature {
	switch {
	case isDER(data):
		return certificate("", data)
	case len(data) > 16 && isDER(data[16:]):
		return certificate(guid(data[:16]).String(), data[16:])
	default:
		return opaque("unknown", "", data)
	}
}

// isDER reports whether b is exactly one DER SEQUENCE of 128 to 65535 bytes, as
// certificates are (X.690, 8.1.3.5).
func isDER(b []byte) bool {
	switch {
	case len(b) > 3 && b[0] == 0x30 && b[1] == 0x81:
		return len(b) == 3+int(b[2])
	case len(b) > 4 && b[0] == 0x30 && b[1] == 0x82:
		return len(b) == 4+int(b[2])<<8+int(b[3])
	default:
		return false
	}
}

// setSBATLevel sets the revocation level shim enforces (shim, SBAT.md): lines of
// "component,generation[,date]", the first of component sbat.
func (s *SecureBoot) setSBATLevel(data []byte) error {
	text := strings.TrimSuffix(string(data), "\n")
	switch {
	case s.SBATLevel != "":
		return fmt.Errorf("measured twice")
	case !strings.HasPrefix(text, "sbat,") || !printable([]byte(text), "\n"):
		return fmt.Errorf("%d bytes are not an SBAT level", len(data))
	}
	s.SBATLevel = text
	return nil
}
