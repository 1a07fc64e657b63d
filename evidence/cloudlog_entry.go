package evidence

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// logForm is what an entry of gotpm may be, where a real attestation has 150 values,
// and foreignForm any other.
var (
	logForm = strictjson.Form{
		Depth: maxLogDepth, Values: 1 << 14, Members: 256,
		CaseCounts: func(name string) bool { return name == "env" || name == "env_override" }, // names of environment variables
	}
	foreignForm = strictjson.Form{
		Depth: maxLogDepth, Values: 1 << 16, Members: 1 << 12,
		CaseCounts: func(string) bool { return true },
	}
)

// maxLabels bounds the labels of a resource, of which an instance has three.
const maxLabels = 64

// logEntry is an entry that gotpm wrote (Cloud Logging API v2, LogEntry).
type logEntry struct {
	logName  string
	resource string
	labels   map[string]string
	time     time.Time
	shape    logShape
	payload  strictjson.Node
	bad      error // why it is none that gotpm writes, though it looks like one
	size     int
}

// isToolLog reports whether a log is the one that gotpm writes to in a project.
func isToolLog(name string) bool {
	project, ok := strings.CutSuffix(name, "/logs/gotpm")
	id, isProject := strings.CutPrefix(project, "projects/")
	return ok && isProject && id != "" && !strings.Contains(id, "/")
}

// decodeLogEntry decodes an entry. nil is one that gotpm did not write, which is
// told from the name of the log and what is in it. One that looks like gotpm's and
// cannot be is of the group that it would be of, so that nobody else's is hidden by
// it.
func decodeLogEntry(b []byte) (*logEntry, error) {
	n, bad := logForm.Parse(b)
	if bad != nil {
		var err error
		if n, err = foreignForm.Parse(b); err != nil {
			return nil, bad
		}
	}
	e := &logEntry{size: 2 * len(b), bad: bad} // the text, and what is decoded from it
	var err error
	name, ok := n.Get("logName")
	if !ok {
		return nil, errors.New("the object is no entry of a log: it has no logName")
	}
	if e.logName, err = stringOf(name); err != nil {
		return nil, fmt.Errorf("logName: %w", err)
	}
	payload, ok := n.Get("jsonPayload")
	if !ok || !isToolLog(e.logName) || payload.Kind != strictjson.Object {
		return nil, nil //nolint:nilnil // an entry of somebody else
	}
	e.payload = payload
	if e.shape, err = shapeOf(payload); e.shape == logShapes {
		return nil, nil //nolint:nilnil // as above
	}
	e.bad = cmp.Or(e.bad, err)
	return e, e.envelope(n)
}

// envelope decodes where and when the entry was written.
func (e *logEntry) envelope(n strictjson.Node) error {
	stamp, _ := n.Get("timestamp")
	var err error
	if e.time, err = timeOf(stamp); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	resource, _ := n.Get("resource")
	kind, _ := resource.Get("type")
	if e.resource, err = stringOf(kind); err != nil {
		return fmt.Errorf("resource.type: %w", err)
	}
	labels, ok := resource.Get("labels")
	switch {
	case ok && labels.Kind != strictjson.Object:
		return fmt.Errorf("resource.labels: %v, want an object", labels.Kind)
	case len(labels.Members) > maxLabels:
		return fmt.Errorf("resource.labels: %d, at most %d are read", len(labels.Members), maxLabels)
	}
	e.labels = make(map[string]string, len(labels.Members))
	for _, m := range labels.Members {
		if e.labels[m.Name], err = stringOf(m.Value); err != nil {
			return fmt.Errorf("resource.labels, %s: %w", strictjson.Quote(m.Name), err)
		}
	}
	return nil
}

// key tells the entries of one instance's log from those of others.
func (e *logEntry) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", e.logName, e.resource)
	for _, name := range sortedKeys(e.labels) {
		fmt.Fprintf(&b, " %q=%q", name, e.labels[name])
	}
	return b.String()
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// shapeOf tells what an entry is by the names in it, or logShapes where gotpm does
// not write such an entry. One that is two things is the first, and an error.
func shapeOf(n strictjson.Node) (logShape, error) {
	has := func(name string) bool { _, ok := n.Get(name); return ok }
	found := logShapes
	for shape, is := range [...]bool{
		shapeChallenge:   has("Name") && has("Nonce"),
		shapeAttestation: has("quotes") || has("ak_pub") || has("TeeAttestation"),
		shapeToken:       has("token") && len(n.Members) == 1,
		shapeClaims:      has("iss") && has("exp"),
	} {
		switch {
		case !is:
		case found != logShapes:
			return found, fmt.Errorf("jsonPayload is a %v and a %v", found, logShape(shape))
		default:
			found = logShape(shape)
		}
	}
	return found, nil
}

// take decodes the entry into the group. What does not decode is kept for the
// check that names it.
func (g *LogGroup) take(e *logEntry) {
	if !slices.Contains(g.has[:], true) {
		g.LogName, g.ResourceType, g.Labels, g.First, g.Last = e.logName, e.resource, e.labels, e.time, e.time
	}
	if e.time.Before(g.First) {
		g.First = e.time
	}
	if e.time.After(g.Last) {
		g.Last = e.time
	}
	g.has[e.shape], g.times[e.shape] = true, e.time
	g.size += e.size
	if g.bad[e.shape] = e.bad; e.bad == nil {
		g.bad[e.shape] = g.decode(e)
	}
}

func (g *LogGroup) decode(e *logEntry) (err error) {
	switch e.shape {
	case shapeChallenge:
		g.challenge, err = decodeLoggedChallenge(e.payload)
	case shapeAttestation:
		g.attestation, err = decodeLoggedAttestation(e.payload)
	case shapeToken:
		token, _ := e.payload.Get("token")
		var text string
		text, err = stringOf(token)
		g.token = []byte(text)
	case shapeClaims:
		g.claims = e.payload.Raw
	case logShapes:
		err = errors.New("not an entry of gotpm")
	}
	return err
}

// decodeLoggedChallenge decodes what encoding/json makes of gotpm's challenge,
// whose fields have no tags.
func decodeLoggedChallenge(n strictjson.Node) (c loggedChallenge, err error) {
	name, _ := n.Get("Name")
	if c.name, err = stringOf(name); err != nil {
		return c, fmt.Errorf("member Name: %w", err)
	}
	nonce, _ := n.Get("Nonce")
	text, err := stringOf(nonce)
	if err != nil {
		return c, fmt.Errorf("member Nonce: %w", err)
	}
	c.nonce, err = decodeBase64(base64.StdEncoding, text)
	if err == nil && len(c.nonce) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return c, fmt.Errorf("member Nonce: %w", err)
	}
	return c, nil
}
