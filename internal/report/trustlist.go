package report

import (
	"time"

	"github.com/attestctl/attestctl/evidence"
)

// SchemaTrust is the schema of a [TrustList].
const SchemaTrust = "attestctl.trust/v1"

// TrustList lists trust anchors.
type TrustList struct {
	Schema  string   `json:"schema"`
	Anchors []Anchor `json:"anchors"`
}

// Anchor is a certificate or a pinned key.
type Anchor struct {
	Path      string `json:"path"`
	Kind      string `json:"kind"` // "certificate" or "key"
	Subject   string `json:"subject,omitempty"`
	SHA256    string `json:"sha256"` // of the DER form
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
	Origin    string `json:"origin,omitempty"`
}

// NewTrustList lists what a Trust rests on.
func NewTrustList(t *evidence.Trust) *TrustList {
	list := &TrustList{Schema: SchemaTrust, Anchors: []Anchor{}}
	for _, a := range t.Anchors() {
		entry := Anchor{Path: a.Path, Kind: "key", SHA256: a.SHA256(), Origin: a.Origin}
		if a.Cert != nil {
			entry.Kind, entry.Subject = "certificate", a.Cert.Subject.String()
			entry.NotBefore = a.Cert.NotBefore.UTC().Format(time.RFC3339)
			entry.NotAfter = a.Cert.NotAfter.UTC().Format(time.RFC3339)
		}
		list.Anchors = append(list.Anchors, entry)
	}
	return list
}

func (l *TrustList) text(p *page) {
	for i, a := range l.Anchors {
		if i > 0 {
			p.blank()
		}
		p.line(span{Quote(a.Path), bold})
		p.field("subject", a.Subject)
		p.field("sha-256", a.SHA256)
		p.field("not before", a.NotBefore)
		p.field("not after", a.NotAfter)
		p.field("origin", a.Origin)
	}
}
