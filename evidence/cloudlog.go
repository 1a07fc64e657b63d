package evidence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// formatCloudLog is an export of Cloud Logging with what `gotpm token --cloud-log`
// logged, as `gcloud logging read --format=json` writes it: an array of entries, or
// one after the other in lines of their own.
const formatCloudLog = "cloud-log"

// fitsCloudLog reports whether b is an array, which no other format is, or begins
// with an entry.
func fitsCloudLog(b []byte) bool {
	return fitsNames(b, formatCloudLog) || firstByte(b) == '[' && isText(b)
}

// logShape is what an entry tells. A run of gotpm logs one of each, in this order.
type logShape int

const (
	shapeChallenge logShape = iota
	shapeAttestation
	shapeToken
	shapeClaims

	logShapes // how many there are
)

// String names the entry for a person.
func (s logShape) String() string {
	return [...]string{"challenge", "attestation", "token", "claims"}[s]
}

// LogGroup is what one run of `gotpm token --cloud-log` logged. Nobody signed the
// entries themselves, and nothing in them says which run they are of: they are put
// together by instance and time.
type LogGroup struct {
	// LogName, ResourceType and Labels say where the entries come from.
	LogName, ResourceType string
	Labels                map[string]string
	// First and Last are the times of the earliest and the latest entry.
	First, Last time.Time
	// Doubt says why the entries may be of two runs, or is "".
	Doubt string

	has   [logShapes]bool
	times [logShapes]time.Time
	bad   [logShapes]error // what stopped the decoding of an entry
	size  int              // bound of the memory that the entries take

	challenge   loggedChallenge
	attestation *loggedAttestation
	token       []byte
	claims      string // as it was written
}

// loggedChallenge is the challenge that the attestation answers.
type loggedChallenge struct {
	name  string
	nonce []byte
}

// missing names the entries that the group does not have.
func (g *LogGroup) missing() []string {
	var names []string
	for s := range logShapes {
		if !g.has[s] {
			names = append(names, s.String())
		}
	}
	return names
}

// problem returns why the group is not the four entries of one run, or nil.
func (g *LogGroup) problem() error {
	if m := g.missing(); len(m) > 0 {
		return hint.New(fmt.Errorf("no entry with the %s within %v", strings.Join(m, ", "), logWindow),
			"export the log whole, without a filter that splits a run")
	}
	for s := range logShapes {
		if err := g.bad[s]; err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
	}
	if g.Doubt != "" {
		return hint.New(errors.New(g.Doubt), "let the instance attest once at a time, and export the log whole")
	}
	return nil
}

// claimsNode decodes the claims that the log gives beside the token.
func (g *LogGroup) claimsNode() (strictjson.Node, error) { return logForm.Parse([]byte(g.claims)) }

// parts gives the logged attestation. There is none where the group has none or
// it does not decode: problem says so.
func (g *LogGroup) parts() (v *vtpmEvidence) {
	defer func() {
		if p := recover(); p != nil { // a library over what is not trusted
			v = &vtpmEvidence{format: formatCloudLog, malformed: fmt.Errorf("internal error while decoding: %v", p)}
		}
	}()
	if g.attestation == nil {
		return &vtpmEvidence{format: formatCloudLog}
	}
	return g.attestation.parts()
}

// lossySNP reports whether the log has an SEV-SNP report that it does not give back,
// because numbers were rounded: parts then has no report.
func (g *LogGroup) lossySNP() bool { return g.lossy() != "" }

// lossy says which numbers those are, or "".
func (g *LogGroup) lossy() string {
	if g.attestation == nil || len(g.attestation.lossy) == 0 {
		return ""
	}
	return "rebuilt from a lossy log: a float64 does not hold " + strings.Join(g.attestation.lossy, ", ")
}

// lossyKey is the certificate of the key that signs that report, as it was logged;
// nil where none was.
func (g *LogGroup) lossyKey() []byte {
	if g.attestation == nil {
		return nil
	}
	return g.attestation.key
}

// untrusted lists what the group says.
func (g *LogGroup) untrusted() fields {
	f := g.parts().fields()
	f.add("log.name", "%s", strconv.QuoteToASCII(g.LogName))
	f.add("log.resource", "%s", strconv.QuoteToASCII(g.ResourceType))
	for _, name := range sortedKeys(g.Labels) {
		f.add("log.resource."+strings.Trim(strconv.QuoteToASCII(name), `"`), "%s", strconv.QuoteToASCII(g.Labels[name]))
	}
	f.add("log.time", "%s to %s", g.First.Format(time.RFC3339Nano), g.Last.Format(time.RFC3339Nano))
	if err := g.problem(); err != nil {
		f.add("log.problem", "%v", err)
	}
	if g.has[shapeChallenge] && g.bad[shapeChallenge] == nil {
		f.add("log.challenge", "%s", strconv.QuoteToASCII(g.challenge.name))
		f.add("log.challenge.nonce", "%x", g.challenge.nonce)
	}
	if text := g.lossy(); text != "" {
		f.add("log.lossy", "%s", text)
	}
	if key := g.lossyKey(); len(key) > 0 {
		f.certificate("log.lossy.key_cert", key)
	}
	if len(g.token) > 0 {
		f.token(parseToken(g.token))
	}
	return f
}
