package evidence

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// FormatCloudLog is the one format of which a file may hold many pieces of
// evidence, and be larger than MaxSize: [ReadLogGroups] reads it.
const FormatCloudLog = formatCloudLog

// BeginsCloudLog reports whether what begins with head is an export of Cloud
// Logging if it is evidence at all.
func BeginsCloudLog(head []byte) bool {
	switch firstByte(head) {
	case '[':
		return true
	case '{':
		return fitsNames(bytes.ToValidUTF8(head, nil), formatCloudLog)
	}
	return false
}

// decodeCloudLog is what Load finds of an export: the one run in it.
func decodeCloudLog(b []byte) (Bundle, error) {
	g, err := readOneLogGroup(b)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Format implements Bundle.
func (g *LogGroup) Format() string { return formatCloudLog }

// Untrusted implements Bundle.
func (g *LogGroup) Untrusted() []Field { return g.untrusted() }

// Verify implements Bundle. Unless a nonce is expected, that of the attestation is
// compared with the logged challenge's, which says that both are of one run and
// nothing of when that was: whoever may write the log can write an old one again.
// The claim nonce_source says so.
func (g *LogGroup) Verify(trust *Trust, want Expect) (*Result, error) {
	w := wholeRun{g, nonceExpected}
	if len(want.Nonce) == 0 {
		w.nonces, want.Nonce = nonceLogged, g.challenge.nonce
	}
	if want.AtLogged {
		want.Now = g.Last
	}
	return verifyParts(w, trust, want)
}

// wholeRun is the logged attestation together with its log and token.
type wholeRun struct {
	*LogGroup

	nonces string
}

func (w wholeRun) parts() *vtpmEvidence {
	v := w.LogGroup.parts()
	v.format, v.log, v.token, v.nonces = formatCloudLog, w.LogGroup, parseToken(w.token), w.nonces
	return v
}

// checkEntries files whether the log has one whole run. Without that, parts of
// several could be taken for one.
func (s *verification) checkEntries() bool {
	if s.log == nil {
		s.skipAll(logChecks, "not from Cloud Logging")
		return true
	}
	return s.record("log.entries", fmt.Sprintf("one run, %s to %s", s.log.First.UTC().Format(logTime), s.log.Last.UTC().Format(logTime)), s.log.problem())
}

const logTime = "2006-01-02T15:04:05.000Z"

// checkAgreement compares the token with the attestation that it was given for,
// and with what the log says that it claims.
func (s *verification) checkAgreement() {
	if s.log == nil {
		return
	}
	if s.verified == nil || s.refusedSoFar() {
		s.notRun("token or attestation is not proven", "log.agreement")
		return
	}
	compared, err := s.compareToken()
	s.record("log.agreement", fmt.Sprintf("%d claims of the machine", compared), err)
}

// refusedSoFar reports whether any check has failed or could not run.
func (s *verification) refusedSoFar() bool {
	for _, c := range s.done {
		if c.Status == Fail || c.Status == NotRun {
			return true
		}
	}
	return false
}

// compareToken returns how many claims token and attestation share. The instance is
// always among them: a key without a certificate would leave two machines alike.
func (s *verification) compareToken() (compared int, err error) {
	logged, err := s.log.claimsNode()
	if err != nil {
		return 0, fmt.Errorf("logged claims: %w", err)
	}
	if name := differing("", logged.Any(), s.verified.Raw()); name != "" {
		return 0, hint.New(fmt.Errorf("the logged claims have another %s than the token", name),
			"nobody signed the logged claims: rely on the token's")
	}
	proven, said := new(claims.Claims), new(claims.Claims)
	s.rawClaims(proven)
	s.tokenClaims(said)
	for _, c := range agreeing {
		got, want := c.of(said), c.of(proven)
		if c.name == "hwmodel" {
			want = cmp.Or(want, s.measuredModel())
		}
		if got == "" || want == "" {
			continue
		}
		if compared++; got != want {
			return 0, fmt.Errorf("%s: the token says %s, the attestation proves %s", c.name, strictjson.Quote(got), strictjson.Quote(want))
		}
	}
	if instance := gceOf(proven).InstanceID; instance == "" || gceOf(said).InstanceID == "" {
		return 0, errors.New("token and attestation do not both name the instance: nothing says that they are of one machine")
	}
	return compared, s.log.checkLabels(gceOf(proven))
}

// checkLabels compares what the log says that it is of with the proven instance.
func (g *LogGroup) checkLabels(in claims.GCE) error {
	for _, l := range []struct{ name, proven string }{
		{"instance_id", in.InstanceID}, {"project_id", in.ProjectID}, {"zone", in.Zone},
	} {
		if label, ok := g.Labels[l.name]; ok && label != l.proven {
			return fmt.Errorf("the log is labelled %s %s, the attestation proves %s", l.name, strictjson.Quote(label), strictjson.Quote(l.proven))
		}
	}
	return nil
}

// measuredModel is the hwmodel of the measured technology, whether or not a
// hardware report proves it.
func (s *verification) measuredModel() string {
	if s.boot.boot == nil {
		return ""
	}
	t := s.boot.boot.Technology
	return cmp.Or(hwModels[t], googleHardware[reportOf[t]])
}

// agreeing lists what token and attestation both say of one machine, as text;
// "" where it is not said.
var agreeing = []struct {
	name string
	of   func(*claims.Claims) string
}{
	{"hwmodel", func(c *claims.Claims) string { return c.HWModel }},
	{"swname", func(c *claims.Claims) string { return c.SWName }},
	{"secboot", func(c *claims.Claims) string { return shown(c.SecBoot) }},
	{"oemid", func(c *claims.Claims) string { return shown(c.OEMID) }},
	{"sub", func(c *claims.Claims) string { return c.Sub }},
	{"submods.gce.zone", func(c *claims.Claims) string { return gceOf(c).Zone }},
	{"submods.gce.project_id", func(c *claims.Claims) string { return gceOf(c).ProjectID }},
	{"submods.gce.project_number", func(c *claims.Claims) string { return gceOf(c).ProjectNumber }},
	{"submods.gce.instance_name", func(c *claims.Claims) string { return gceOf(c).InstanceName }},
	{"submods.gce.instance_id", func(c *claims.Claims) string { return gceOf(c).InstanceID }},
	{"submods.container.image_reference", func(c *claims.Claims) string { return containerOf(c).ImageReference }},
	{"submods.container.image_digest", func(c *claims.Claims) string { return containerOf(c).ImageDigest }},
	{"submods.container.image_id", func(c *claims.Claims) string { return containerOf(c).ImageID }},
	{"submods.container.restart_policy", func(c *claims.Claims) string { return containerOf(c).RestartPolicy }},
}

func shown[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

func gceOf(c *claims.Claims) claims.GCE {
	if c.Submods == nil || c.Submods.GCE == nil {
		return claims.GCE{}
	}
	return *c.Submods.GCE
}

func containerOf(c *claims.Claims) claims.Container {
	if c.Submods == nil || c.Submods.Container == nil {
		return claims.Container{}
	}
	return *c.Submods.Container
}

// differing names the first member that two decoded JSON values do not share, or
// is "". Numbers went through a float64 on their way into the log.
func differing(at string, a, b any) string {
	same := a == nil && b == nil
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			return differingMembers(at, a, b)
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			return differingItems(at, a, b)
		}
	case json.Number:
		b, ok := b.(json.Number)
		same = ok && sameFloat(a, b)
	case string, bool:
		same = a == b
	}
	if same {
		return ""
	}
	return cmp.Or(at, "form")
}

func differingMembers(at string, a, b map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		path := strings.TrimPrefix(at+"."+name, ".")
		value, ok := b[name]
		if !ok {
			return path
		}
		if d := differing(path, a[name], value); d != "" {
			return d
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			return strings.TrimPrefix(at+"."+name, ".")
		}
	}
	return ""
}

func differingItems(at string, a, b []any) string {
	for i := range a {
		if d := differing(fmt.Sprintf("%s[%d]", at, i), a[i], b[i]); d != "" {
			return d
		}
	}
	return ""
}

func sameFloat(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y
}
