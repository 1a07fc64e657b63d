package report

import "fmt"

// SchemaPolicyBench is the schema of a [PolicyBench].
const SchemaPolicyBench = "attestctl.policybench/v1"

// PolicyBench says what a decision costs.
type PolicyBench struct {
	Schema  string        `json:"schema"`
	Policy  string        `json:"policy"`
	Cases   int           `json:"cases"`
	Engines []Measurement `json:"engines"`
}

// Measurement is what one decision costs with one engine, on average.
type Measurement struct {
	Engine      string  `json:"engine"`
	Decisions   int     `json:"decisions"`
	NsPerOp     float64 `json:"ns_per_op"`
	BytesPerOp  uint64  `json:"bytes_per_op"`
	AllocsPerOp uint64  `json:"allocs_per_op"`
	Ratio       float64 `json:"ratio"` // of its time to that of the first engine
}

// Add adds an engine; the first is what others are compared with.
func (b *PolicyBench) Add(m Measurement) {
	m.Ratio = 1
	if len(b.Engines) > 0 && b.Engines[0].NsPerOp > 0 {
		m.Ratio = m.NsPerOp / b.Engines[0].NsPerOp
	}
	b.Engines = append(b.Engines, m)
}

func (b *PolicyBench) text(p *page) {
	p.line(span{Quote(b.Policy), bold}, plain(", "+count(b.Cases, "accepted case")))
	p.blank()
	p.line(span{fmt.Sprintf("  %-6s %12s %10s %10s %7s %11s", "engine", "ns/op", "B/op", "allocs/op", "ratio", "decisions"), dim})
	for _, m := range b.Engines {
		p.linef("  %-6s %12.0f %10d %10d %7.2f %11d", m.Engine, m.NsPerOp, m.BytesPerOp, m.AllocsPerOp, m.Ratio, m.Decisions)
	}
}
