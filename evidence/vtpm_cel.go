package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/replay"
)

// celFindings is what a replayed COS event log has shown.
type celFindings struct {
	container *replay.Container
}

// checkCEL replays the canonical event log of Confidential Space. A log that is
// there is replayed or refused, never passed over.
func (s *verification) checkCEL() {
	if len(s.cel) == 0 {
		s.skip("cel.replay", "no canonical event log")
		s.skip("cel.cos", "no canonical event log")
		return
	}
	log, err := replay.ParseCEL(s.cel)
	if err != nil {
		s.record("cel.replay", "", err)
		s.notRun("the canonical event log is malformed", "cel.cos")
		return
	}
	container, findings := log.Container()
	register, err := replay.ContainerPCR, error(nil)
	if s.measuredTDX() && ofRTMR3(log) {
		if s.found.tdx == nil {
			s.notRun("the log is that of RTMR 3, and the TDX quote is not proven", "cel.replay", "cel.cos")
			return
		}
		register = replay.ContainerRTMR // tdx.rtmr has compared it
	} else {
		err = s.compareCEL(log)
	}
	if !s.record("cel.replay", fmt.Sprintf("%v, %d records", register, len(log.Records)), err) { // TCG CEL 1.0, 4
		s.notRun("the log is not that of the quoted PCR", "cel.cos")
		return
	}
	ok := s.record("cel.cos", container.ImageReference, checkContainer(container, findings))
	if ok && (register == replay.ContainerPCR || s.boundToAK()) { // a quote of another machine brings its own container
		s.cos = &celFindings{container}
	}
}

// measuredTDX reports whether the firmware measured Intel TDX, whose launcher
// extends RTMR 3 rather than a PCR.
func (s *verification) measuredTDX() bool {
	return s.boot.boot != nil && s.boot.boot.Technology == "INTEL_TDX"
}

func ofRTMR3(log *replay.CEL) bool {
	return !slices.ContainsFunc(log.Records, func(r replay.Record) bool { return r.Register != replay.ContainerRTMR })
}

// celExplains reports whether the launch log leads to the quoted value of the
// PCR that it is measured into. checkCEL judges the log itself.
func (s *verification) celExplains(pcr int, b bankValues) bool {
	if pcr != replay.ContainerPCR.Index || len(s.cel) == 0 {
		return false
	}
	log, err := replay.ParseCEL(s.cel)
	if err != nil {
		return false
	}
	value, _, err := log.Replay(replay.ContainerPCR, b.alg)
	return err == nil && bytes.Equal(value, b.get(pcr))
}

// compareCEL compares the replay with the quoted PCR 13 of every bank. The
// launcher logs no digest for a bank it does not know; for SHA-1, which decides
// nothing, that is no failure.
func (s *verification) compareCEL(log *replay.CEL) error {
	compared := 0
	for _, b := range s.banks() {
		quoted := b.get(replay.ContainerPCR.Index)
		if quoted == nil {
			return hint.New(fmt.Errorf("PCR %d is not quoted in bank %v", replay.ContainerPCR.Index, b.alg), "quote all PCRs")
		}
		value, records, err := log.Replay(replay.ContainerPCR, b.alg)
		switch {
		case err != nil && b.alg == tpm.AlgSHA1:
			continue
		case err != nil:
			return err
		case records != len(log.Records):
			return fmt.Errorf("%d of %d records are of another register than PCR %d", len(log.Records)-records, len(log.Records), replay.ContainerPCR.Index)
		case !bytes.Equal(value, quoted):
			return hint.New(fmt.Errorf("%v: %d records lead to %x, quoted is %x", b.alg, records, value, quoted), "take log and quote again, together")
		}
		compared++
	}
	if compared == 0 {
		return errors.New("no bank to compare with")
	}
	return nil
}

func checkContainer(c *replay.Container, findings []replay.Finding) error {
	if len(findings) > 0 {
		words := make([]string, len(findings))
		for i, f := range findings {
			words[i] = f.String()
		}
		return errors.New(strings.Join(words[:min(len(words), 3)], "; "))
	}
	if !c.Complete {
		return hint.New(errors.New("the launch was not completed: the log has no end marker"), "take the evidence after the workload was launched")
	}
	return nil
}
