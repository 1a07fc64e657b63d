package evidence

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attestctl/attestctl/internal/hint"
)

// teeKind is the kind of hardware report that the evidence carries.
type teeKind int

const (
	teeNone teeKind = iota
	teeSNP
	teeTDX
)

// String names the report for a person.
func (k teeKind) String() string {
	switch k {
	case teeNone:
		return "no hardware report"
	case teeSNP:
		return "SEV-SNP report"
	case teeTDX:
		return "TDX quote"
	}
	return "no hardware report"
}

// hardware is the signed report of the hardware that evidence carries, decoded
// and not yet trusted. Its zero value is that there is none.
type hardware struct {
	kind teeKind
	snp  *snpEvidence // for teeSNP
	tdx  *tdxEvidence // for teeTDX
}

// reportData returns what the guest had the report made for.
func (h *hardware) reportData() [64]byte {
	switch h.kind {
	case teeNone:
	case teeSNP:
		return h.snp.report.ReportData
	case teeTDX:
		return h.tdx.quote.ReportData
	}
	return [64]byte{}
}

// hardwareFindings is what is known of the hardware report.
type hardwareFindings struct {
	snp     *snpFindings // nil unless report and key were verified
	tdx     *tdxFindings // the same
	binding string       // the formula of the report data; "" unless it is what was expected
	boundTo []string     // what the report was made for
}

// checkTEE verifies the hardware report, if there is one, and requires one where
// the firmware measured a technology that makes them.
func (s *verification) checkTEE() {
	s.checkPresent()
	if why := s.lossyReport(); why != "" {
		s.skipAll(snpChecks, why)
	} else if s.hw.kind != teeSNP {
		s.skipAll(snpChecks, "no SEV-SNP report")
	}
	if s.hw.kind != teeTDX {
		s.skipAll(tdxChecks, "no TDX quote")
	}
	switch s.hw.kind {
	case teeNone:
		s.skip("tee.binding", "no hardware report")
		return
	case teeSNP:
		s.checkSNP()
	case teeTDX:
		s.checkTDX()
	}
	detail, err := s.checkBinding()
	s.record("tee.binding", detail, err)
}

// lossyReport says why the SEV-SNP report that was there is not verified, or "".
func (s *verification) lossyReport() string {
	if s.log == nil || s.log.lossy() == "" {
		return ""
	}
	return s.log.lossy()
}

// boundToAK reports whether the hardware report is that of this vTPM's machine.
func (s *verification) boundToAK() bool { return slices.Contains(s.found.boundTo, boundAK) }

func (s *verification) skipAll(ids []string, why string) {
	for _, id := range ids {
		s.skip(id, why)
	}
}

// reportOf gives the report that a measured technology makes.
var reportOf = map[string]teeKind{"AMD_SEV_SNP": teeSNP, "INTEL_TDX": teeTDX}

// checkPresent compares the report with the technology that the firmware of the
// machine measured, where the event log says, and with what the user expects.
func (s *verification) checkPresent() {
	measured := ""
	if s.boot.boot != nil {
		measured = s.boot.boot.Technology
	}
	wanted := reportOf[measured]
	if why := s.doesWithout(wanted); why != "" {
		s.skip("tee.present", why)
		return
	}
	err := s.reportExpected()
	if err == nil {
		err = reportFits(s.hw.kind, wanted, measured)
	}
	switch {
	case err != nil:
		s.record("tee.present", "", err)
	case s.hw.kind == teeNone:
		s.skip("tee.present", "no hardware report, and none is called for")
	case wanted != teeNone:
		s.record("tee.present", fmt.Sprintf("%v, as the firmware measured", s.hw.kind), nil)
	default:
		s.record("tee.present", s.hw.kind.String(), nil)
	}
}

// doesWithout says why the wanted report is not asked for, or "".
func (s *verification) doesWithout(wanted teeKind) string {
	if s.hw.kind != teeNone || wanted == teeNone || s.want.expectsReport() {
		return ""
	}
	if why := s.lossyReport(); why != "" && wanted == teeSNP {
		return why
	}
	if s.want.InsecureNoHardwareReport {
		return fmt.Sprintf("no %v (--insecure-no-hardware-report)", wanted)
	}
	return ""
}

// reportExpected compares the report with what the user expects of one.
func (s *verification) reportExpected() error {
	switch {
	case s.hw.kind == teeNone && s.want.expectsReport():
		return errors.New("a hardware report is expected by the options, and there is none")
	case s.hw.kind == teeTDX && s.want.VMPL != 0:
		return errors.New("a VMPL is expected, and the evidence has a TDX quote")
	}
	return nil
}

// reportFits compares the report with the one that the measured technology calls
// for. Where the log says nothing of a technology, any will do.
func reportFits(got, wanted teeKind, measured string) error {
	switch {
	case got == wanted, measured == "" && got != teeNone:
		return nil
	case got == teeNone:
		return hint.New(fmt.Errorf("the firmware measured %s, and there is no %v", measured, wanted),
			"take the evidence with gotpm attest --tee-technology; --insecure-no-hardware-report does without")
	}
	return hint.New(fmt.Errorf("the evidence has a %v, the firmware measured %s", got, measured), "do not combine parts of two machines")
}

// rests notes that what was found ends to hold at a time.
func (s *verification) rests(until time.Time) {
	if !until.IsZero() && (s.until.IsZero() || until.Before(s.until)) {
		s.until = until
	}
}

// stale says that material is older than the user wants, which is nothing where
// the user gave no age.
func (s *verification) stale(what string, issued time.Time) error {
	if age := s.want.Now.Sub(issued); s.want.MaxAge > 0 && age > s.want.MaxAge {
		return hint.New(fmt.Errorf("%s is %v old, the limit is %v", what, age.Truncate(time.Hour), s.want.MaxAge),
			"fetch the current one, or allow more with --max-age")
	}
	return nil
}

var errNoTime = errors.New("no time to verify at was given, or it was to be that of a log, which this is not")
