package evidence

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

// Field is one decoded, untrusted value of a piece of evidence: where it
// stands ("quotes[0].nonce") and what it says, as text for a person.
type Field struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// PCRBank holds the untrusted PCR values of one bank by index.
type PCRBank struct {
	Alg    tpm.Alg
	Values map[int][]byte
}

// UntrustedPCRs returns the PCR values that the evidence gives, by bank. They
// are not compared with any quote.
func UntrustedPCRs(b Bundle) []PCRBank {
	var banks []PCRBank
	for _, q := range untrustedParts(b).quotes {
		for _, v := range q.banks {
			bank := PCRBank{v.alg, make(map[int][]byte, len(v.values))}
			for _, p := range v.values {
				bank.Values[int(p.index)] = p.value
			}
			banks = append(banks, bank)
		}
	}
	return banks
}

// UntrustedEventLog returns the TCG event log that the evidence carries, or nil.
func UntrustedEventLog(b Bundle) []byte { return untrustedParts(b).eventLog }

// UntrustedError returns what stopped the decoding of an inner structure of the
// evidence, or nil if all of it decodes.
func UntrustedError(b Bundle) error {
	v := untrustedParts(b)
	if v.token != nil && v.token.err != nil {
		return v.token.err
	}
	return v.malformed
}

// UntrustedNotes says how the dates in the evidence stand to a time, for a person.
func UntrustedNotes(b Bundle, now time.Time) []Field {
	v := untrustedParts(b)
	if v.token == nil || v.token.err != nil {
		return nil
	}
	var f fields
	for _, note := range v.token.token.NotesAt(now) {
		f.add(note.Path, "%s", note.Value)
	}
	return f
}

// carrier is a Bundle of vTPM evidence.
type carrier interface {
	parts() *vtpmEvidence
}

// untrustedParts decodes as much of the evidence as can be decoded.
func untrustedParts(b Bundle) (v *vtpmEvidence) {
	defer func() {
		if recover() != nil {
			v = new(vtpmEvidence)
		}
	}()
	if c, ok := b.(carrier); ok {
		return c.parts()
	}
	return new(vtpmEvidence)
}

// fields collects lines for a person.
type fields []Field

func (f *fields) add(path, format string, args ...any) {
	*f = append(*f, Field{path, fmt.Sprintf(format, args...)})
}

// Untrusted implements Bundle.
func (a *Attestation) Untrusted() []Field {
	f := untrustedParts(a).fields()
	if in := a.msg.GetInstanceInfo(); in != nil {
		f.add("instance_info", "project %s (%d), zone %s, instance %s (%d): from the metadata server, never used",
			in.GetProjectId(), in.GetProjectNumber(), in.GetZone(), in.GetInstanceName(), in.GetInstanceId())
	}
	if a.unknown > 0 {
		f.add("unknown_fields", "%d", a.unknown)
	}
	return f
}

// Untrusted implements Bundle.
func (t *tpm2Quote) Untrusted() []Field { return untrustedParts(t).fields() }

// Untrusted implements Bundle.
func (e *eventLog) Untrusted() []Field { return untrustedParts(e).fields() }

func (v *vtpmEvidence) fields() fields {
	var f fields
	f.add("format", "%s", v.format)
	if v.malformed != nil {
		f.add("malformed", "%v", v.malformed)
	}
	if p := v.akPublic; p != nil {
		f.public(p)
	}
	if len(v.akCert) > 0 {
		f.certificate("ak_cert", v.akCert)
	}
	for i, der := range v.intermediates {
		f.certificate(fmt.Sprintf("intermediate_certs[%d]", i), der)
	}
	for i, q := range v.quotes {
		f.quote(fmt.Sprintf("quotes[%d]", i), q)
	}
	if len(v.eventLog) > 0 {
		f.eventLog(v.eventLog)
	}
	if len(v.cel) > 0 {
		f.cel(v.cel)
	}
	f.hardware(&v.hw)
	if v.token != nil {
		f.token(v.token)
	}
	return f
}

func (f *fields) public(p *tpm.Public) {
	if p.Type == tpm.AlgRSA {
		f.add("ak_pub.key", "rsa %d bits", p.RSA.KeyBits)
	} else {
		f.add("ak_pub.key", "ecc curve 0x%04x", p.ECC.Curve)
	}
	f.add("ak_pub.scheme", "%v with %v", p.Scheme.Alg, p.Scheme.Hash)
	f.add("ak_pub.attributes", "%s", strings.Join(p.Attributes.Names(), " "))
	f.add("ak_pub.name", "%x", p.Name())
}

func (f *fields) certificate(path string, der []byte) {
	cert, err := parseCertificateDER(der)
	if err != nil {
		f.add(path, "malformed: %v", err)
		return
	}
	f.add(path+".subject", "%s", cert.Subject)
	f.add(path+".issuer", "%s", cert.Issuer)
	f.add(path+".validity", "%s to %s", cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
	f.add(path+".sha256", "%s", hexSHA256(cert.Raw))
	f.add(path+".key_usage", "%s", keyUsages(cert.KeyUsage))
	if in := instanceIn(cert); in != nil {
		f.add(path+".instance", "%s (project number %d, instance id %d)", in.url(), in.projectNumber, in.id)
	}
}

// instanceIn returns the instance a certificate names, or nil.
func instanceIn(cert *x509.Certificate) *instance {
	in, err := instanceOf(cert)
	if err != nil {
		return nil
	}
	return in
}

func (f *fields) quote(path string, q *quote) {
	f.add(path+".signature", "%v with %v", q.sig.Scheme, q.sig.Hash)
	if q.notOne != nil {
		f.add(path, "not a quote: %v", q.notOne)
		return
	}
	a := q.attest
	f.add(path+".nonce", "%s", hex.EncodeToString(a.ExtraData))
	f.add(path+".clock", "%d ms, reset count %d, restart count %d, safe %t", a.Clock.Clock, a.Clock.ResetCount, a.Clock.RestartCount, a.Clock.Safe)
	f.add(path+".firmware_version", "%s", strconv.FormatUint(a.FirmwareVersion, 10))
	for _, s := range a.Selections {
		f.add(path+".selection", "%v: PCR %s", s.Hash, ranges(s.PCRs()))
	}
	f.add(path+".pcr_digest", "%x", a.PCRDigest)
	for _, b := range q.banks {
		for _, v := range b.values {
			f.add(fmt.Sprintf("%s.pcrs.%v[%d]", path, b.alg, v.index), "%x", v.value)
		}
	}
}

func (f *fields) eventLog(raw []byte) {
	log, err := replay.ParseLog(raw, replay.LogOptions{AllowPadding: true})
	if err != nil {
		f.add("event_log", "%d bytes, malformed: %v", len(raw), err)
		return
	}
	names := make([]string, 0, len(log.Algs()))
	for _, a := range log.Algs() {
		names = append(names, a.String())
	}
	f.add("event_log", "%d bytes, %d events, digests %s; `attestctl replay` lists them", len(raw), len(log.Events), strings.Join(names, " "))
}

func (f *fields) cel(raw []byte) {
	log, err := replay.ParseCEL(raw)
	if err != nil {
		f.add("canonical_event_log", "%d bytes, malformed: %v", len(raw), err)
		return
	}
	f.add("canonical_event_log", "%d bytes, %d records", len(raw), len(log.Records))
	c, _ := log.Container()
	for _, line := range []struct{ name, value string }{
		{"image_reference", c.ImageReference},
		{"image_digest", c.ImageDigest},
		{"image_id", c.ImageID},
		{"restart_policy", c.RestartPolicy},
	} {
		if line.value != "" {
			f.add("canonical_event_log."+line.name, "%s", line.value)
		}
	}
}
