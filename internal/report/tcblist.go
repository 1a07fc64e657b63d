package report

import (
	"fmt"
	"strings"
)

// TCBList is what the hardware reports in many files say of their firmware.
// Nothing of it was checked.
type TCBList struct {
	Schema   string     `json:"schema"`
	Verified bool       `json:"verified"` // always false
	Files    []*TCB     `json:"files"`
	Summary  TCBSummary `json:"summary"`
}

// TCBSummary counts the files of a list. Without are files that carry no hardware
// report or do not decode, Errors files that could not be read, and Below, present
// if there is a floor, the reports that do not reach it.
type TCBSummary struct {
	Files   int  `json:"files"`
	Reports int  `json:"reports"`
	Without int  `json:"without"`
	Errors  int  `json:"errors"`
	Below   *int `json:"below,omitempty"`
}

// NewTCBList returns an empty list, whose reports are compared with a floor or
// are not.
func NewTCBList(floor bool) *TCBList {
	l := &TCBList{Schema: SchemaTCBs, Files: []*TCB{}}
	if floor {
		l.Summary.Below = new(int)
	}
	return l
}

// Add adds the report of one file.
func (l *TCBList) Add(t *TCB) {
	l.add(t)
	l.Summary.Reports++
	if l.Summary.Below != nil && (t.Floor == nil || !t.Floor.Reached) {
		*l.Summary.Below++
	}
}

// AddError adds a file without TCBs: one that could be read or one that could not.
func (l *TCBList) AddError(file string, err error, read bool) {
	l.add(&TCB{File: file, Error: err.Error()})
	if read {
		l.Summary.Without++
	} else {
		l.Summary.Errors++
	}
}

func (l *TCBList) add(t *TCB) {
	t.Schema = ""
	l.Files = append(l.Files, t)
	l.Summary.Files++
}

func (l *TCBList) text(p *page) {
	p.wrapped(decodedOnly, span{})
	p.blank()
	for _, t := range l.Files {
		t.textLine(p)
	}
	p.blank()
	p.wrapped(l.Summary.String(), span{})
}

const lineWord = len("REACHES") + 2

// textLine writes the TCB that counts most, or what is below the floor.
func (t *TCB) textLine(p *page) {
	word, what := span{text: "DECODED"}, ""
	switch {
	case t.TCBs == nil:
		word, what = span{"ERROR", red}, t.Error
	case t.SNP != nil:
		what = strings.TrimPrefix(t.SNP.Product+" "+levelText(&t.SNP.Reported), " ")
	case t.TDX != nil:
		what = "TDX " + svns(t.TDX.TeeTCBSVN)
	}
	if t.Floor != nil && t.Floor.Reached {
		word = span{"REACHES", green}
	} else if t.Floor != nil {
		word, what = span{"BELOW", red}, strings.Join(t.Floor.Below, "; ")
	}
	word.text = pad(word.text, lineWord)
	p.line(word, plain(Quote(t.File)), plain("  "), plain(what))
}

// String returns one line for a person.
func (s TCBSummary) String() string {
	text := fmt.Sprintf("%s: %s, %d without, %d could not be read",
		count(s.Files, "file"), count(s.Reports, "hardware report"), s.Without, s.Errors)
	if s.Below != nil {
		text += fmt.Sprintf("; %d of %d reports would fail the floor", *s.Below, s.Reports)
	}
	return text
}
