package tdx

import (
	"fmt"
	"slices"
	"time"
)

// TCBStatus is how current a part of a platform is, as Intel spells it (PCS API
// version 4, tcbStatus).
type TCBStatus string

// Every status Intel gives. The zero value is none of them.
const (
	UpToDate                          TCBStatus = "UpToDate"
	SWHardeningNeeded                 TCBStatus = "SWHardeningNeeded"
	ConfigurationNeeded               TCBStatus = "ConfigurationNeeded"
	ConfigurationAndSWHardeningNeeded TCBStatus = "ConfigurationAndSWHardeningNeeded"
	OutOfDate                         TCBStatus = "OutOfDate"
	OutOfDateConfigurationNeeded      TCBStatus = "OutOfDateConfigurationNeeded"
	Revoked                           TCBStatus = "Revoked"
)

// defect is what a status says is wrong, as bits, so that statuses join.
type defect uint8

const (
	needsHardening defect = 1 << iota
	needsConfiguration
	outOfDate
	revoked
)

// statuses lists every status with its defects, the least bad first. A set of
// defects has the first status that admits all of it.
var statuses = []struct {
	status  TCBStatus
	defects defect
}{
	{UpToDate, 0},
	{SWHardeningNeeded, needsHardening},
	{ConfigurationNeeded, needsConfiguration},
	{ConfigurationAndSWHardeningNeeded, needsHardening | needsConfiguration},
	{OutOfDate, outOfDate | needsHardening},
	{OutOfDateConfigurationNeeded, outOfDate | needsConfiguration | needsHardening},
	{Revoked, revoked | outOfDate | needsConfiguration | needsHardening},
}

func parseStatus(s string) (TCBStatus, error) {
	for _, e := range statuses {
		if s == string(e.status) {
			return e.status, nil
		}
	}
	return "", fmt.Errorf("unknown tcb status %q", s)
}

// worst joins statuses: the result admits everything that is wrong with any of
// them, so that no part of a platform can hide the state of another. A status
// that is not Intel's counts as Revoked.
func worst(list ...TCBStatus) TCBStatus {
	var all defect
	for _, s := range list {
		found := revoked
		for _, e := range statuses {
			if e.status == s {
				found = e.defects
			}
		}
		all |= found
	}
	for _, e := range statuses {
		if all&^e.defects == 0 {
			return e.status
		}
	}
	return Revoked
}

// Status is how current a platform was at the time it was evaluated for.
type Status struct {
	TCBStatus      TCBStatus // the worst of the three below
	PlatformStatus TCBStatus // SGX and TDX components, and PCE
	ModuleStatus   TCBStatus // TDX module; empty for version 1.0, which is part of the platform's TCB level
	QEStatus       TCBStatus // quoting enclave

	AdvisoryIDs             []string  // sorted union of the three, such as INTEL-SA-00837
	TCBEvaluationDataNumber uint32    // the lower one of TCB info and QE identity
	TCBDate                 time.Time // the earliest of the matching TCB levels
	Issued                  time.Time // the earliest issue of TCB info, QE identity and both CRLs
	NextUpdate              time.Time // the earliest of TCB info, QE identity and both CRLs
	NotAfter                time.Time // the earliest end of everything this rests on, certificates included
}

// level is what a matching TCB level says.
type level struct {
	Status     TCBStatus
	Date       time.Time
	Advisories []string
}

// summary fills in what follows from the matching levels.
func (s *Status) summary(platform, module []level, qe level) {
	s.PlatformStatus = join(platform)
	s.QEStatus = qe.Status
	all := append(append([]level{qe}, platform...), module...)
	if len(module) > 0 {
		s.ModuleStatus = join(module)
	}
	s.TCBStatus = join(all)
	s.AdvisoryIDs, s.TCBDate = []string{}, qe.Date
	for _, l := range all {
		s.AdvisoryIDs = append(s.AdvisoryIDs, l.Advisories...)
		s.TCBDate = earliest(s.TCBDate, l.Date)
	}
	slices.Sort(s.AdvisoryIDs)
	s.AdvisoryIDs = slices.Compact(s.AdvisoryIDs)
}

func join(levels []level) TCBStatus {
	var list []TCBStatus
	for _, l := range levels {
		list = append(list, l.Status)
	}
	return worst(list...)
}
