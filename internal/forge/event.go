package forge

import (
	"bytes"
	"fmt"
)

// Event types of TCG PC Client Platform Firmware Profile 1.06, 10.4.1.
const (
	EvNoAction          uint32 = 0x00000003
	EvSeparator         uint32 = 0x00000004
	EvEventTag          uint32 = 0x00000006
	EvSCRTMVersion      uint32 = 0x00000008
	EvPlatformConfig    uint32 = 0x0000000A
	EvIPL               uint32 = 0x0000000D
	EvNonhostInfo       uint32 = 0x00000011
	EvVariableConfig    uint32 = 0x80000001
	EvVariableBoot      uint32 = 0x80000002
	EvBootApplication   uint32 = 0x80000003
	EvGPT               uint32 = 0x80000006
	EvAction            uint32 = 0x80000007
	EvHCRTM             uint32 = 0x80000010
	EvVariableAuthority uint32 = 0x800000E0
)

// Event is one entry of a firmware event log.
type Event struct {
	PCR  uint32
	Type uint32
	// Data is the event field, as the log shows it.
	Data []byte
	// Measured is what the digests are computed of; nil stands for Data.
	Measured []byte
	// Digests override computed digests, one bank at a time. Events of
	// parsed logs have all of theirs here: delete them after changing Data.
	Digests map[Alg][]byte
}

// Digest returns the digest of the event in a bank: zeros for EV_NO_ACTION,
// which extends nothing (PFP 1.06, 10.4.1), unless Digests says otherwise.
func (e Event) Digest(bank Alg) ([]byte, error) {
	if d, ok := e.Digests[bank]; ok {
		return d, nil
	}
	if e.Type == EvNoAction {
		hash, err := hashOf(bank)
		if err != nil {
			return nil, err
		}
		return make([]byte, hash.Size()), nil
	}
	measured := e.Measured
	if measured == nil {
		measured = e.Data
	}
	return digest(bank, measured)
}

// Replay extends reset PCRs with the events, in their order, and returns the
// values. Events of a PCR that a TPM does not have extend nothing.
func Replay(alg Alg, events []Event) (Bank, error) {
	bank, err := NewBank(alg)
	if err != nil {
		return nil, err
	}
	for i, e := range events {
		if e.PCR >= pcrCount {
			continue
		}
		if start, ok := e.startValue(); ok {
			bank[0][len(bank[0])-1] = start
		}
		if e.Type == EvNoAction {
			continue
		}
		measured, err := e.Digest(alg)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if err := bank.Extend(alg, e.PCR, measured); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return bank, nil
}

// startValue returns the last byte of PCR 0 before its first extension when
// the event tells it: the locality of TPM2_Startup (PFP 1.06, 10.4.5.3), or 4
// after an H-CRTM sequence.
func (e Event) startValue() (byte, bool) {
	const locality = "StartupLocality\x00"
	switch {
	case e.PCR != 0:
		return 0, false
	case e.Type == EvHCRTM:
		return 4, true
	case e.Type == EvNoAction && len(e.Data) == len(locality)+1 && bytes.HasPrefix(e.Data, []byte(locality)):
		return e.Data[len(locality)], true
	default:
		return 0, false
	}
}
