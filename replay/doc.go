// Package replay reads boot event logs, replays them into PCR values, and says
// what the replayed events prove.
//
// It reads the TCG PC Client log (PFP 1.06, both the crypto-agile and the SHA-1
// form) and the canonical event log (CEL) of Confidential Space. The order is
// always the same: parse strictly, replay, compare with the quoted values, and
// only then believe what [Log.Boot] or [CEL.Container] found.
//
// Two things in a log look trustworthy and are not. The type of an event is not
// measured, so it never selects how an event is read: measured content selects,
// and a type that disagrees with it is a finding. And whatever the firmware
// measured after its separators can also be measured later by whoever owns the
// operating system: [Boot.Forgeable] names those parts.
package replay
