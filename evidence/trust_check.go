package evidence

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"
)

// Severity says how much a finding matters.
type Severity string

// The severities. A directory with an error should not be trusted as it is; a
// note is to be known.
const (
	SeverityError Severity = "error"
	SeverityNote  Severity = "note"
)

// Finding is one thing that is wrong with a trust directory.
type Finding struct {
	Path     string   `json:"path"` // of the file or folder, "." for the directory
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // one of FindingCodes
	Detail   string   `json:"detail"`
}

// The codes of findings.
const (
	codeLayout      = "layout"
	codeMalformed   = "malformed"
	codePurpose     = "purpose"
	codeIncomplete  = "incomplete"
	codeUnvouched   = "unvouched"
	codeRevoked     = "revoked"
	codeDuplicate   = "duplicate"
	codeWeak        = "weak"
	codeExpired     = "expired"
	codeNotYetValid = "not-yet-valid"
	codeStale       = "stale"
	codeExpiresSoon = "expires-soon"
)

// FindingCodes lists the codes a [Finding] can have, and what each means.
var FindingCodes = []struct{ Code, Meaning string }{
	{codeLayout, "a file or folder that the layout does not know, a link, or a file that is too large"},
	{codeMalformed, "a file that does not decode"},
	{codePurpose, "a certificate in a folder that is for others"},
	{codeIncomplete, "something is missing: any anchor, an ARK, part of the collateral"},
	{codeUnvouched, "no root of the directory vouches for it, or its signature is wrong"},
	{codeRevoked, "a certificate that a revocation list of the directory names"},
	{codeDuplicate, "the same certificate, key or list as in another file"},
	{codeWeak, "RSA below 2048 bits, a curve below 256, or a signature over SHA-1 or MD5"},
	{codeExpired, "a certificate past its end"},
	{codeNotYetValid, "a file from the future"},
	{codeStale, "a revocation list or collateral past its next update, or older than allowed"},
	{codeExpiresSoon, "a certificate that ends within 30 days"},
}

// expiresSoon is how long before its end a certificate is noted.
const expiresSoon = 30 * 24 * time.Hour

// CheckTrust looks for all that is wrong with a trust directory at a time, the
// time zero not being one. A maxAge above 0 limits the age of revocation lists
// and collateral. The findings are ordered by path. What [LoadTrust] refuses is
// always an error among them. CheckTrust itself fails if the directory cannot be
// read at all.
func CheckTrust(dir fs.FS, at time.Time, maxAge time.Duration) ([]Finding, error) {
	if at.IsZero() {
		return nil, errors.New("no time to check at was given")
	}
	c := &trustCheck{at: at, maxAge: maxAge}
	if err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error { return c.visit(dir, name, d, err) }); err != nil {
		return nil, err
	}
	c.checkDuplicates()
	for i := range c.files {
		f := &c.files[i]
		c.checkPurpose(f)
		c.checkTime(f)
		c.checkStrength(f)
	}
	c.checkTPMKeys("ak")
	c.checkTPMKeys("ek")
	c.checkAMD()
	c.checkIntel()
	c.checkLoads(dir)
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	return c.findings, nil
}

// trustCheck is the state of one call of CheckTrust.
type trustCheck struct {
	at       time.Time
	maxAge   time.Duration
	files    []TrustFile // those that decode, by path
	findings []Finding
}

func (c *trustCheck) report(severity Severity, at, code, format string, args ...any) {
	c.findings = append(c.findings, Finding{at, severity, code, fmt.Sprintf(format, args...)})
}

func (c *trustCheck) error(at, code, format string, args ...any) {
	c.report(SeverityError, at, code, format, args...)
}

// visit reads one entry of the directory and goes on after what it cannot read.
func (c *trustCheck) visit(dir fs.FS, name string, d fs.DirEntry, err error) error {
	switch {
	case name == "." && (err != nil || !d.IsDir()):
		return cmp.Or(err, errors.New("not a directory"))
	case name == ".":
		return nil
	case len(c.files)+len(c.findings) >= maxTrustFiles:
		c.error(".", codeLayout, "more than %d files: none beyond them was looked at", maxTrustFiles)
		return fs.SkipAll
	}
	var data []byte
	if err == nil {
		data, err = readTrustFile(dir, name, name, d)
	}
	if err != nil {
		c.error(name, codeLayout, "%v", err)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if data != nil {
		c.read(name, data)
	}
	return nil
}

// read decodes a file. One that is no file of its folder may be one of another.
func (c *trustCheck) read(name string, data []byte) {
	f, err := folderOf(path.Dir(name)).file(newTrust(), name, data)
	if err == nil {
		c.files = append(c.files, f)
		return
	}
	if (f.Cert != nil || f.certificate() == nil) && homeIn(&f) != path.Dir(name) {
		c.checkPurpose(&f)
		return
	}
	c.error(name, codeMalformed, "%v", err)
}

// in returns the files that decode of one folder.
func (c *trustCheck) in(folder string) []TrustFile {
	return slices.DeleteFunc(slices.Clone(c.files), func(f TrustFile) bool { return path.Dir(f.Path) != folder })
}

// checkDuplicates compares what the files mean, whatever their form. An authority
// may certify both kinds of a TPM's keys.
func (c *trustCheck) checkDuplicates() {
	for i, f := range c.files {
		first := slices.IndexFunc(c.files[:i], func(g TrustFile) bool {
			bothKinds := f.Cert != nil && f.in("ek") && g.in("ak")
			return !bothKinds && bytes.Equal(f.DER, g.DER)
		})
		if first >= 0 {
			c.error(f.Path, codeDuplicate, "the same %s as %s", f.Kind, c.files[first].Path)
		}
	}
}

// checkLoads makes sure that nothing passes that would not load: a directory
// without an anchor, and two files for one thing.
func (c *trustCheck) checkLoads(dir fs.FS) {
	_, err := LoadTrust(dir)
	if err == nil || slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Severity == SeverityError }) {
		return
	}
	code := codeLayout
	if errors.Is(err, errNoAnchor) {
		code = codeIncomplete
	}
	c.error(".", code, "%v", err)
}
