package report

import (
	"fmt"
	"strconv"

	"github.com/attestctl/attestctl/evidence"
)

// Schemas of a [TCB] and of a [TCBList].
const (
	SchemaTCB  = "attestctl.tcb/v1"
	SchemaTCBs = "attestctl.tcbs/v1"
)

// TCB is what the hardware report in one file says of its firmware. Nothing of it
// was checked.
type TCB struct {
	Schema   string `json:"schema,omitempty"` // absent inside of a list
	Verified bool   `json:"verified"`         // always false
	File     string `json:"file"`
	Format   string `json:"format,omitempty"`
	Error    string `json:"error,omitempty"` // why there are no TCBs

	*evidence.TCBs

	Floor *TCBFloor `json:"floor,omitempty"` // nil: none was given
}

// TCBFloor says whether TCBs reach the floor, and what does not.
type TCBFloor struct {
	Reached bool     `json:"reached"`
	Below   []string `json:"below,omitempty"`
}

// NewTCB returns the TCBs of one file, compared with the floor unless that is nil.
func NewTCB(file, format string, t *evidence.TCBs, floor *evidence.Floor) *TCB {
	doc := &TCB{Schema: SchemaTCB, File: file, Format: format, TCBs: t}
	if floor != nil {
		below := t.Below(*floor)
		doc.Floor = &TCBFloor{Reached: len(below) == 0, Below: below}
	}
	return doc
}

// decodedOnly is the first line of every text about TCBs.
const decodedOnly = "decoded, not verified: no signature was checked, and all of it may be made up"

func (t *TCB) text(p *page) {
	p.wrapped(decodedOnly, span{})
	p.blank()
	p.line(span{Quote(t.File), bold}, plain(": "+t.Format))
	p.blank()
	switch {
	case t.TCBs == nil:
		p.field("error", t.Error)
	case t.SNP != nil:
		textSNP(p, t.SNP)
	case t.TDX != nil:
		textTDX(p, t.TDX)
	}
	if t.Floor == nil {
		return
	}
	p.blank()
	for _, what := range t.Floor.Below {
		p.field("below floor", what)
	}
	p.line(t.Floor.word())
}

func (f *TCBFloor) word() span {
	if f.Reached {
		return span{"REACHES THE FLOOR", green}
	}
	return span{"BELOW THE FLOOR", red}
}

func textSNP(p *page, t *evidence.SNPTCBs) {
	p.field("report", fmt.Sprintf("SEV-SNP, version %d, signing key %s", t.ReportVersion, t.SigningKey))
	if t.Product != "" {
		p.field("product", t.Product+" (from the "+t.ProductFrom+")")
	}
	p.field("no product", t.NoProduct)
	p.field("chip", t.ChipID)
	for _, l := range []struct {
		name  string
		level *evidence.TCBLevel
	}{{"reported", &t.Reported}, {"committed", &t.Committed}, {"current", &t.Current}, {"launch", &t.Launch}} {
		p.field(l.name, levelText(l.level))
	}
	p.field("firmware", t.FirmwareCurrent+", committed "+t.FirmwareCommitted)
	if t.Provisional {
		p.field("provisional", "the committed firmware is not the current one: the host can go back to it")
	}
	textKey(p, t.Certificate)
	p.field("fitting VCEK", t.VCEKURL)
	p.field("no VCEK", t.NoVCEK)
}

func levelText(l *evidence.TCBLevel) string {
	if l.Error != "" {
		return l.Error
	}
	return l.String()
}

func textKey(p *page, k *evidence.SNPKeyTCB) {
	if k == nil {
		p.field("certificate", "none")
		return
	}
	if k.TCB != nil {
		p.field("certificate", fmt.Sprintf("%s of %s: %v", k.Key, k.ProductName, k.TCB))
		p.field("  its chip", k.ChipID)
		p.field("  its CSP", k.CSPID)
	}
	if k.Fits {
		p.field("fits", "yes, by what both say")
	}
	for _, why := range k.WhyNot {
		p.field("does not fit", why)
	}
}

func textTDX(p *page, t *evidence.TDXTCBs) {
	p.field("report", fmt.Sprintf("TDX quote, version %d", t.QuoteVersion))
	p.field("tdx module", moduleText(t.Module))
	p.field("tee tcb svn", svns(t.TeeTCBSVN))
	if t.TeeTCBSVN2 != nil && t.Module2 != nil {
		p.field("module now", moduleText(*t.Module2))
		p.field("tcb svn now", svns(*t.TeeTCBSVN2))
	}
	p.field("qe svn", withHeader(t.QESVN, t.HeaderQESVN))
	if t.PCK.Error != "" {
		p.field("pck", t.PCK.Error)
		return
	}
	p.field("pce svn", withHeader(t.PCK.PCESVN, t.HeaderPCESVN))
	p.field("fmspc", t.PCK.FMSPC)
	p.field("pceid", t.PCK.PCEID)
	if t.PCK.SGXComponents != nil {
		p.field("sgx svns", svns(*t.PCK.SGXComponents))
	}
	p.field("cpusvn", t.PCK.CPUSVN)
}

// svns gives sixteen SVNs in their order, in decimal.
func svns(list [16]uint8) string {
	text := fmt.Sprint(list)
	return text[1 : len(text)-1]
}

// withHeader gives an SVN, and what the header of the quote says if it says any.
func withHeader(svn, header int) string {
	if header == 0 {
		return strconv.Itoa(svn)
	}
	return fmt.Sprintf("%d (the header says %d)", svn, header)
}

func moduleText(m evidence.TDXModule) string {
	return fmt.Sprintf("major %d (component 1), minor %d (component 0)", m.Major, m.Minor)
}
