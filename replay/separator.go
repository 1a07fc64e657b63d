package replay

import "fmt"

// readSeparators wants exactly one separator in each of PCR 0 to 7 (PFP 1.06,
// 10.4.1): it is the line between what the firmware measured and what anybody
// measured later. A log without it was cut, or the firmware is not one whose
// claims are understood.
func (r *bootReader) readSeparators(l *Log) {
	var count [8]int
	for i := range r.events {
		m := &r.events[i]
		if m.PCR > 7 {
			continue
		}
		if !m.separates() {
			if m.kind == evSeparator {
				r.found(m, fmt.Sprintf("type is %v, but its content is no separator", m.kind))
			}
			continue
		}
		r.want(m, evSeparator)
		if count[m.PCR]++; count[m.PCR] == 2 {
			r.found(m, "second separator")
		}
		if m.reportsError() {
			r.boot.ErrorSeparator = true
			r.found(m, fmt.Sprintf("the separator reports an error: %x", m.Data))
		}
	}
	for pcr, n := range count {
		if n == 0 && l.covers(pcr) {
			r.missing(pcr, "no separator")
		}
	}
}
