package report

import "fmt"

func (r *Replay) text(p *page) {
	p.line(span{Quote(r.File), bold}, plain(": "+r.Format+", "+count(len(r.Events), "event")+", not verified"))
	p.blank()
	p.line(span{eventLine("event", "PCR", "untrusted type", "digest in "+r.Bank, len(r.digestColumn()), "data", ""), dim})
	for _, e := range r.Events {
		r.textEvent(p, e)
	}
	for _, b := range r.Banks {
		p.blank()
		b.text(p, r.Compared != "")
	}
	if len(r.Findings) > 0 {
		p.blank()
		p.line(plain("findings, by which verify would refuse this log:"))
		for _, f := range r.Findings {
			p.wrapped(f, span{"  ", red})
		}
	}
	r.textVerdict(p)
}

func (r *Replay) digestColumn() string {
	if len(r.Events) == 0 {
		return ""
	}
	return r.Events[0].Digest
}

func eventLine(number, pcr, kind, digest string, width int, data, description string) string {
	return fmt.Sprintf("%5s  %3s  %-32s  %-*s  %-5s  %s", number, pcr, kind, width, digest, data, description)
}

func (r *Replay) textEvent(p *page, e ReplayEvent) {
	pcr := fmt.Sprint(e.PCR)
	if e.PCR < 0 {
		pcr = "-"
	}
	data := "other"
	if e.Measured {
		data = "same"
	}
	p.line(plain(eventLine(fmt.Sprint(e.Number), pcr, e.UntrustedType, e.Digest, len(r.digestColumn()), data, Quote(e.Description))))
}

func (b *ReplayBank) text(p *page, compared bool) {
	p.line(span{b.Alg, bold})
	if b.Error != "" {
		p.wrapped(b.Error, span{"  ", red})
	}
	var reset []int
	for _, r := range b.PCRs {
		if r.Outcome == OutcomeReset {
			reset = append(reset, r.PCR)
			continue
		}
		lead := plain(fmt.Sprintf("  PCR %2d  %-10s  ", r.PCR, count(r.Events, "event")))
		if !compared {
			p.line(lead, plain(r.Replayed))
			continue
		}
		word, c := r.Outcome, outcomeColor(r)
		switch {
		case r.Outcome != OutcomeMismatch:
			p.line(lead, span{pad(word, 10), c}, plain(r.Replayed))
		default:
			if !r.Required {
				word = "differs"
			}
			p.wrapped(r.Explanation, lead, span{pad(word, 10), c})
		}
	}
	if len(reset) > 0 {
		p.wrapped(indexes(reset), plain("  without events and at reset value: "))
	}
}

func outcomeColor(r ReplayPCR) color {
	switch {
	case r.Outcome == OutcomeMatch || r.Outcome == OutcomeReset:
		return green
	case r.Outcome == OutcomeNotGiven || !r.Required:
		return yellow
	default:
		return red
	}
}

func (r *Replay) textVerdict(p *page) {
	if r.Matches == nil {
		return
	}
	p.blank()
	if *r.Matches {
		p.line(span{"MATCH", green}, plain(": the log explains the values in "+Quote(r.Compared)+", which are not verified themselves"))
		return
	}
	p.line(span{"MISMATCH", red}, plain(": the log does not explain the values in "+Quote(r.Compared)))
}
