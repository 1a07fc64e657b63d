package replay

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// technologies names the byte in Google's non-host info, in the spelling of
// go-eventlog's GCEConfidentialTechnology.
var technologies = [...]string{"NONE", "AMD_SEV", "AMD_SEV_ES", "INTEL_TDX", "AMD_SEV_SNP"}

// Google's virtual firmware measures 32 bytes: this, the technology, and zeros
// that are reserved.
const (
	nonHostInfoPrefix = "GCE NonHostInfo\x00"
	nonHostInfoSize   = 32
)

func nonHostInfo(technology byte) []byte {
	b := make([]byte, nonHostInfoSize)
	b[copy(b, nonHostInfoPrefix)] = technology
	return b
}

// scrtmPrefix starts the version string of Google's virtual firmware; a decimal
// number follows.
const scrtmPrefix = "GCE Virtual Firmware v"

// readPlatform reads what the firmware measured into PCR 0 before the separator:
// its version and the confidential computing technology.
func (r *bootReader) readPlatform() {
	separated, opaque := false, -1
	for i := range r.events {
		m := &r.events[i]
		if m.PCR != 0 {
			continue
		}
		if m.separates() {
			separated = true
			continue
		}
		if !m.verified && opaque < 0 {
			opaque = i
		}
		version, isVersion := gceVersion(m.Data)
		switch {
		case bytes.HasPrefix(m.Data, []byte(nonHostInfoPrefix)):
			r.readTechnology(m, separated)
		case isVersion:
			r.readVersion(m, version, separated)
		}
	}
	// All that Google's firmware measures into PCR 0 is the hash of what it logs.
	// Data that is not was changed, to hide the version or the technology.
	if google := r.boot.Firmware.GCEVersion != nil || r.boot.Technology != ""; google && opaque >= 0 {
		r.found(&r.events[opaque], "the digest is not that of the data, as it is in all of Google's firmware")
	}
}

func (r *bootReader) readTechnology(m *measured, separated bool) {
	technology := m.Data[len(nonHostInfoPrefix):]
	switch {
	case !m.verified:
		r.found(m, "non-host info is not what was measured")
		return
	case separated:
		r.found(m, "non-host info after the separator")
		return
	case len(m.Data) != nonHostInfoSize:
		r.found(m, fmt.Sprintf("non-host info has %d bytes, want %d", len(m.Data), nonHostInfoSize))
		return
	case r.boot.Technology != "":
		r.found(m, "second non-host info")
		return
	case int(technology[0]) >= len(technologies):
		r.found(m, fmt.Sprintf("unknown confidential computing technology %d", technology[0]))
		return
	}
	r.want(m, evNonhostInfo)
	r.boot.Technology = technologies[technology[0]]
}

func (r *bootReader) readVersion(m *measured, version uint32, separated bool) {
	fw := &r.boot.Firmware
	switch {
	case !m.verified:
		r.found(m, "firmware version is not what was measured")
		return
	case separated:
		r.found(m, "firmware version after the separator")
		return
	case fw.GCEVersion != nil:
		r.found(m, "second firmware version")
		return
	}
	r.want(m, evSCRTMVersion)
	fw.SCRTMVersion = scrtmPrefix + strconv.FormatUint(uint64(version), 10)
	fw.GCEVersion = &version
}

// gceVersion decodes Google's S-CRTM version: UTF-16, terminated, the number in
// its shortest form.
func gceVersion(data []byte) (uint32, bool) {
	text, err := decodeUTF16(bytes.TrimSuffix(data, []byte{0, 0}))
	if err != nil || len(data) != 2*len(text)+2 {
		return 0, false
	}
	number, ok := strings.CutPrefix(text, scrtmPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != number {
		return 0, false
	}
	return uint32(n), true
}
