package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/attestctl/attestctl/evidence"
)

// SchemaTrust is the schema of a [TrustList].
const SchemaTrust = "attestctl.trust/v1"

// TrustList lists trust material and how it stands at a time.
type TrustList struct {
	Schema string      `json:"schema"`
	At     string      `json:"at"`
	Files  []TrustFile `json:"files"`
}

// TrustFile is one file. A certificate has not_before and not_after, a
// revocation list this_update and next_update, collateral issued and next_update,
// a key none of them.
type TrustFile struct {
	Path       string `json:"path"`
	Kind       string `json:"kind"`
	Purpose    string `json:"purpose"`
	Status     string `json:"status"`
	Subject    string `json:"subject,omitempty"` // of a revocation list its issuer
	SHA256     string `json:"sha256"`            // of the DER form, or of a file that has none
	NotBefore  string `json:"not_before,omitempty"`
	NotAfter   string `json:"not_after,omitempty"`
	ThisUpdate string `json:"this_update,omitempty"`
	Issued     string `json:"issued,omitempty"`
	NextUpdate string `json:"next_update,omitempty"`
	AgeSeconds int64  `json:"age_seconds,omitempty"`
	FMSPC      string `json:"fmspc,omitempty"`
	Evaluation uint32 `json:"tcb_evaluation_data_number,omitempty"`
	Origin     string `json:"origin,omitempty"`
}

// NewTrustList lists what a Trust was made of.
func NewTrustList(t *evidence.Trust, at time.Time) *TrustList {
	list := &TrustList{Schema: SchemaTrust, At: at.UTC().Format(time.RFC3339), Files: []TrustFile{}}
	for _, f := range t.Files() {
		list.Files = append(list.Files, newTrustFile(f, at))
	}
	return list
}

func newTrustFile(f evidence.TrustFile, at time.Time) TrustFile {
	entry := TrustFile{
		Path: f.Path, Kind: string(f.Kind), Purpose: f.Purpose, Status: string(f.StatusAt(at)), Subject: f.Subject, SHA256: f.SHA256(),
		AgeSeconds: int64(f.AgeAt(at) / time.Second), FMSPC: f.FMSPC, Evaluation: f.EvaluationNumber, Origin: f.Origin,
	}
	from, until := stamp(f.From), stamp(f.Until)
	switch f.Kind {
	case evidence.KindCertificate, evidence.KindChain:
		entry.NotBefore, entry.NotAfter = from, until
	case evidence.KindList:
		entry.ThisUpdate, entry.NextUpdate = from, until
	case evidence.KindTCBInfo, evidence.KindQEIdentity:
		entry.Issued, entry.NextUpdate = from, until
	case evidence.KindKeySet:
		entry.Issued = from
	case evidence.KindKey, evidence.KindJWK, evidence.KindDigest:
	}
	return entry
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (l *TrustList) text(p *page) {
	for i, f := range l.Files {
		if i > 0 {
			p.blank()
		}
		p.line(span{Quote(f.Path), bold})
		f.text(p)
	}
}

func (f *TrustFile) text(p *page) {
	p.field("purpose", f.Purpose)
	p.field("kind", f.Kind)
	p.field("subject", f.Subject)
	p.field("sha-256", f.SHA256)
	p.field("not before", f.NotBefore)
	p.field("not after", f.NotAfter)
	p.field("this update", f.ThisUpdate)
	p.field("issued", f.Issued)
	p.field("next update", f.NextUpdate)
	p.field("fmspc", f.FMSPC)
	if f.Evaluation != 0 {
		p.field("evaluation", strconv.FormatUint(uint64(f.Evaluation), 10))
	}
	if f.Kind != string(evidence.KindKey) {
		p.field("age", days(f.AgeSeconds))
	}
	p.line(span{fmt.Sprintf("  %-*s ", fieldWidth, "status"), dim}, span{f.Status, fileColor(f.Status)})
	p.field("origin", f.Origin)
}

// days gives an age in whole days.
func days(seconds int64) string { return count(int(seconds/(24*60*60)), "day") }

func fileColor(status string) color {
	if status == string(evidence.StatusValid) {
		return green
	}
	return red
}
