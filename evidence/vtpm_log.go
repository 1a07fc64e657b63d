package evidence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/replay"
)

// bootFindings is what the event log has shown.
type bootFindings struct {
	boot        *replay.Boot
	events      int          // in the whole log
	unexplained map[int]bool // quoted PCRs that neither log nor reset value explain
	unquoted    []int        // PCRs with events that no quote covers
}

// checkEventLog replays the log against the quoted values and reads its meaning.
func (s *verification) checkEventLog() {
	if len(s.eventLog) == 0 {
		s.checkAbsentLog()
		return
	}
	log, err := replay.ParseLog(s.eventLog, replay.LogOptions{})
	if err == nil {
		err = log.CheckDigests()
	}
	if err != nil {
		s.record("eventlog.format", "", hint.New(err, "copy the log byte for byte; `attestctl replay` shows how far it can be read"))
		s.notRun("the event log is malformed", "eventlog.replay", "eventlog.coverage", "eventlog.semantics")
		return
	}
	s.record("eventlog.format", fmt.Sprintf("%d events", len(log.Events)), nil) // TCG PFP 1.06, 10.2
	r := s.replayBanks(log)
	s.record("eventlog.coverage", "PCR "+ranges(s.want.requiredPCRs()), r.gap()) // TCG PTP 1.06, 4.6.2
	s.boot.unexplained, s.boot.unquoted = r.unexplained, slices.Sorted(maps.Keys(r.unquoted))
	if len(r.algs) == 0 || s.failed("eventlog.replay") || s.failed("eventlog.coverage") {
		s.notRun("the log is not that of the quoted PCRs", "eventlog.semantics")
		return
	}
	s.checkSemantics(log, r)
}

func (s *verification) checkAbsentLog() {
	all := []string{"eventlog.format", "eventlog.replay", "eventlog.coverage", "eventlog.semantics"}
	if !s.want.InsecureNoEventLog {
		s.record(all[0], "", hint.New(errors.New("the evidence has no event log: nothing explains the PCR values"),
			"send the log too; --insecure-no-event-log accepts bare PCR values, whose claims say nothing of the boot"))
		s.notRun("no event log", all[1:]...)
		return
	}
	for _, id := range all {
		s.skip(id, "no event log (--insecure-no-event-log)")
	}
}

// replayed is what comparing the log with the quotes has given.
type replayed struct {
	algs        []tpm.Alg // banks that were replayed, the reporting bank first
	proven      pcrSet    // PCRs whose quoted value the log explains in all of them
	unexplained map[int]bool
	unquoted    map[int]bool
	uncovered   map[int][]string // required PCRs that the log is silent about, with their banks
}

// gap reports the required PCRs that the log does not explain.
func (r *replayed) gap() error {
	var errs []error
	for _, pcr := range slices.Sorted(maps.Keys(r.uncovered)) {
		errs = append(errs, fmt.Errorf("PCR %d was extended (bank %s), and the log has no event for it",
			pcr, strings.Join(r.uncovered[pcr], ", ")))
	}
	return hint.New(joinLines(errs), "send the whole log, as the firmware left it")
}

// pcrSet is a set of PCRs, bit i for PCR i.
type pcrSet uint32

func (p pcrSet) has(i int) bool { return i >= 0 && i <= tpm.MaxPCR && p&(1<<i) != 0 }

// reportingOrder puts the bank first whose digests are shown in the claims:
// SHA-256 is what reference values are published in.
var reportingOrder = []tpm.Alg{tpm.AlgSHA256, tpm.AlgSHA384, tpm.AlgSHA512, tpm.AlgSHA1}

// replayBanks compares every quoted bank with the log. A bank that the log does
// not speak of is how the others would be bypassed: only SHA-1, which decides
// nothing, and SHA-512, which firmware rarely logs, may be missing.
func (s *verification) replayBanks(log *replay.Log) *replayed {
	r := &replayed{proven: 1<<(tpm.MaxPCR+1) - 1, unexplained: map[int]bool{}, unquoted: map[int]bool{}, uncovered: map[int][]string{}}
	for _, b := range s.banks() {
		id := "eventlog.replay[" + b.alg.String() + "]"
		if !slices.Contains(log.Algs(), b.alg) {
			s.bankNotInLog(id, b.alg)
			continue
		}
		bank, err := log.Replay(b.alg)
		if err != nil {
			s.record(id, "", err)
			continue
		}
		r.algs = append(r.algs, b.alg)
		detail, err := s.compareBank(bank, b, r)
		s.record(id, detail, err) // TCG PFP 1.06, 10.2.2
	}
	slices.SortFunc(r.algs, func(a, b tpm.Alg) int {
		return slices.Index(reportingOrder, a) - slices.Index(reportingOrder, b)
	})
	return r
}

func (s *verification) bankNotInLog(id string, alg tpm.Alg) {
	if alg == tpm.AlgSHA1 || alg == tpm.AlgSHA512 {
		s.skip(id, "the log has no "+alg.String()+" digests")
		return
	}
	s.record(id, "", hint.New(fmt.Errorf("bank %v is quoted and the log has no digests for it", alg),
		"deactivate the bank that the firmware does not log (tpm2_pcrallocate)"))
}

// compareBank compares one bank and sorts what does not agree: a required PCR
// with events is a failed replay, without events a gap in coverage; any other
// PCR is listed as unexplained.
func (s *verification) compareBank(bank *replay.Bank, b bankValues, r *replayed) (string, error) {
	quoted := make(map[int][]byte, len(b.values))
	for _, v := range b.values {
		quoted[int(v.index)] = v.value
	}
	required := s.want.requiredPCRs()
	var wrong []error
	matched, seen := 0, pcrSet(0)
	for _, c := range bank.Compare(quoted) {
		switch c.Outcome {
		case replay.Matched:
			matched++
			seen |= 1 << c.PCR
		case replay.AtReset:
			seen |= 1 << c.PCR
		case replay.NotQuoted:
			r.unquoted[c.PCR] = true
		case replay.Mismatch:
			switch {
			case c.Events == 0 && s.celExplains(c.PCR, b):
				matched++
			case !slices.Contains(required, c.PCR):
				r.unexplained[c.PCR] = true
			case c.Events > 0:
				wrong = append(wrong, errors.New(c.Explain()))
			default:
				r.uncovered[c.PCR] = append(r.uncovered[c.PCR], b.alg.String())
			}
		}
	}
	r.proven &= seen
	return fmt.Sprintf("%d PCRs match", matched), hint.New(joinLines(wrong),
		"take log and quote again, together; `attestctl replay LOG --quote FILE` shows every event")
}

// checkSemantics reads the events of the proven PCRs.
func (s *verification) checkSemantics(log *replay.Log, r *replayed) {
	boot, findings := log.Restrict(r.proven.has).Boot(r.algs)
	if len(findings) == 0 {
		s.boot.boot, s.boot.events = boot, len(log.Events)
		s.record("eventlog.semantics", bootSummary(boot), nil) // TCG PFP 1.06, 3.3 and 10.4
		return
	}
	const most = 3
	words := make([]string, 0, most)
	for _, f := range findings[:min(len(findings), most)] {
		words = append(words, f.String())
	}
	text := strings.Join(words, "; ")
	if more := len(findings) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	s.record("eventlog.semantics", "", hint.New(errors.New(text), "`attestctl replay` shows the events and every finding"))
}

// bootSummary says in a few words what kind of boot it was.
func bootSummary(b *replay.Boot) string {
	parts := make([]string, 0, 2)
	if b.Technology != "" {
		parts = append(parts, "technology "+b.Technology)
	}
	switch enabled := b.SecureBoot.Enabled; {
	case enabled == nil:
	case *enabled:
		parts = append(parts, "Secure Boot on")
	default:
		parts = append(parts, "Secure Boot off")
	}
	return strings.Join(parts, ", ")
}
