package evidence_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-tpm-tools/proto/attest"

	"github.com/attestctl/attestctl/replay"
)

// knownTypes are the event types that the TCG defines.
func knownTypes(t *testing.T) []uint32 {
	t.Helper()
	var types []uint32
	for _, base := range []uint32{0, 0x10000000, 0x80000000} {
		for i := range uint32(0x100) {
			if replay.EventType(base + i).Known() {
				types = append(types, base+i)
			}
		}
	}
	if len(types) < 35 {
		t.Fatalf("%d known event types, the TCG defines more", len(types))
	}
	return types
}

// TestEventRetyped gives every event of real evidence every other known type.
// Types are not measured, so that no replay can notice: each must be an error
// by its meaning, or change no claim at all.
func TestEventRetyped(t *testing.T) {
	for _, c := range realCases(t) {
		if strings.HasSuffix(c.name, "-x") || strings.HasSuffix(c.name, "-txt") {
			continue // the same machines again
		}
		t.Run(c.name, func(t *testing.T) {
			trust := embeddedTrust(t)
			res, err := verify(c.data, trust, c.want)
			if err != nil {
				t.Fatal(err)
			}
			baseline := toJSON(t, res.Claims)
			msg := decodeAny(t, c.data)
			log, err := replay.ParseLog(msg.GetEventLog(), replay.LogOptions{})
			if err != nil {
				t.Fatal(err)
			}
			refused, same := 0, 0
			types := knownTypes(t)
			for i := range log.Events {
				if testing.Short() && i%4 != 0 {
					continue // the whole is for a run without the race detector
				}
				for _, to := range types {
					if uint32(log.Events[i].UntrustedType()) == to {
						continue
					}
					data := altered(t, c.data, func(a *attest.Attestation) {
						binary.LittleEndian.PutUint32(a.EventLog[log.Events[i].Offset+4:], to)
					})
					res, err := verify(data, trust, c.want)
					if err != nil {
						refused++
						continue
					}
					same++
					res.Claims.Format = c.format(t)
					if toJSON(t, res.Claims) != baseline {
						t.Errorf("event %d (PCR %d, %v) as type %#x changes the claims: %s", i, log.Events[i].PCR,
							log.Events[i].UntrustedType(), to, fmt.Sprint(res.Claims.Boot.UnknownEvents))
					}
				}
			}
			least := 500
			if testing.Short() {
				least = 100
			}
			if refused < least {
				t.Errorf("%d of %d retyped logs were refused, more contradict the specification", refused, refused+same)
			}
		})
	}
}
