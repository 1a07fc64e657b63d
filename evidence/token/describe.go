package token

import (
	"fmt"
	"strconv"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// Field is one line of a description.
type Field struct{ Path, Value string }

// DescribeUnverified lists what the token says, header first and then claims, in
// the order of the token: for people to read, and for nothing to rely on, as its
// first field says. Dates are readable, strings are quoted where they have more
// than printable ASCII, and the certificates of a chain are named with their
// validity. Fields of the path "note" say what is wrong with the token whatever
// is expected of it.
func (t *Token) DescribeUnverified() []Field {
	list := []Field{{"verified", "no: nothing here has been checked"}}
	list = append(list, Field{"header.alg", plain(t.header.algorithm)})
	if t.header.keyID != "" {
		list = append(list, Field{"header.kid", plain(t.header.keyID)})
	}
	for _, name := range t.header.extra {
		if name != "x5c" {
			list = append(list, Field{"header." + name, "present, and never used"})
		}
	}
	for i, item := range t.header.x5c {
		list = append(list, describeCertificate(i, item)...)
	}
	list = appendFields(list, "claims", t.claims)
	return append(list, t.notes()...)
}

func describeCertificate(i int, item string) []Field {
	path := "header.x5c[" + strconv.Itoa(i) + "]"
	cert, err := parseCertificate(item)
	if err != nil {
		return []Field{{path, "not a certificate"}}
	}
	return []Field{
		{path + ".subject", plain(cert.Subject.String())},
		{path + ".issuer", plain(cert.Issuer.String())},
		{path + ".not_before", stamp(cert.NotBefore)},
		{path + ".not_after", stamp(cert.NotAfter)},
	}
}

func appendFields(list []Field, path string, n node) []Field {
	switch n.Kind {
	case strictjson.Object:
		for _, m := range n.Members {
			list = appendFields(list, path+"."+plain(m.Name), m.Value)
		}
		return list
	case strictjson.Array:
		for i, v := range n.Items {
			list = appendFields(list, path+"["+strconv.Itoa(i)+"]", v)
		}
		return list
	case strictjson.Number:
		return append(list, Field{path, n.Text + readable(path, n.Text)})
	case strictjson.Boolean:
		return append(list, Field{path, strconv.FormatBool(n.Yes)})
	case strictjson.Text:
		return append(list, Field{path, plain(n.Text)})
	case strictjson.Null:
	}
	return append(list, Field{path, "null"})
}

// readable returns the date that one of the three dates of a token means.
func readable(path, value string) string {
	seconds, err := strconv.ParseInt(value, 10, 64)
	isTime := path == "claims.iat" || path == "claims.nbf" || path == "claims.exp"
	if err != nil || !isTime || seconds < 0 || seconds > lastTime {
		return ""
	}
	return " (" + stamp(time.Unix(seconds, 0)) + ")"
}

// notes judges the token by the profile of the issuer that it names.
func (t *Token) notes() []Field {
	issuer := t.UntrustedIssuer()
	p, err := profileFor(issuer)
	if err != nil {
		return []Field{{"note", err.Error()}}
	}
	a := &appraisal{token: t, want: Expect{Issuer: issuer}, profile: p}
	list := []Field{{"profile", p.Name}}
	checks := []func() error{a.checkForm, a.checkAlgorithm, a.checkLifetime, a.checkClaims}
	if t.header.x5c != nil {
		checks = append(checks, a.useChain)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			list = append(list, Field{"note", err.Error()})
		}
	}
	return list
}

// NotesAt says how the dates of the token stand to a time.
func (t *Token) NotesAt(now time.Time) []Field {
	dates := (&appraisal{token: t}).times()
	if dates.err != nil {
		return nil // notes has said so
	}
	var list []Field
	note := func(format string, at int64) {
		list = append(list, Field{"note", fmt.Sprintf(format, inWords(now.Sub(time.Unix(at, 0)).Abs()))})
	}
	if dates.iat != nil && now.Before(time.Unix(*dates.iat, 0)) {
		note("issued in the future, in %s", *dates.iat)
	}
	if dates.exp != nil {
		format := "ends in %s"
		if !now.Before(time.Unix(*dates.exp, 0)) {
			format = "expired %s ago"
		}
		note(format, *dates.exp)
	}
	return list
}

// inWords gives a duration in days, below two of them to the second.
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return d.Truncate(time.Second).String()
	}
	return fmt.Sprintf("%d days", d/day)
}

// checkLifetime is checkTime at the moment of issue: all but the clock.
func (a *appraisal) checkLifetime() error {
	t := a.times()
	if t.iat != nil {
		a.want.Now = time.Unix(*t.iat, 0)
	}
	return a.checkTime()
}

// plain returns s, quoted if a terminal could show it as something else.
func plain(s string) string {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}
