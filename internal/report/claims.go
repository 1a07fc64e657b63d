package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
)

// textClaims writes what most readers look for first, and notes below a value
// that the owner of the machine could have forged it after boot. JSON has all.
func textClaims(p *page, c *claims.Claims) {
	textInstance(p, c)
	p.field("hardware", c.HWModel)
	p.field("software", c.SWName)
	p.forgeable("swname", c.Boot)
	if c.Boot != nil {
		textBoot(p, c.Boot)
	}
	if c.Token != nil {
		textToken(p, c)
	}
	if c.Submods != nil && c.Submods.Container != nil {
		textContainer(p, c)
	}
	if c.TEE != nil {
		textTEE(p, c.TEE)
	}
	if c.TPM != nil {
		textTPM(p, c.TPM)
	}
	if c.ValidUntil != 0 {
		p.field("valid until", time.Unix(c.ValidUntil, 0).UTC().Format(time.RFC3339))
	}
	if len(c.Insecure) > 0 {
		p.wrapped(strings.Join(c.Insecure, ", "), span{"  " + pad("insecure", fieldWidth) + " ", yellow})
	}
}

func textInstance(p *page, c *claims.Claims) {
	if c.Submods == nil || c.Submods.GCE == nil {
		return
	}
	g := c.Submods.GCE
	p.field("instance", joined(g.InstanceName, "id "+g.InstanceID))
	p.field("project", joined(g.ProjectID, "number "+g.ProjectNumber))
	p.field("zone", g.Zone)
}

// joined leaves out a name, or a number, that a token does not give.
func joined(name, number string) string {
	if strings.HasSuffix(number, " ") {
		return name
	}
	return strings.TrimPrefix(name+", "+number, ", ")
}

// textToken writes whose token it is, for whom and for when.
func textToken(p *page, c *claims.Claims) {
	if c.Boot == nil && c.SecBoot != nil {
		p.field("secure boot", map[bool]string{true: "on", false: "off"}[*c.SecBoot])
	}
	p.field("debug", c.DbgStat)
	p.field("issuer", c.Iss)
	p.field("audience", strings.Join(c.Aud, ", "))
	if c.Iat != nil {
		p.field("issued", time.Unix(*c.Iat, 0).UTC().Format(time.RFC3339))
	}
	p.field("nonces", strings.Join(c.EATNonce, ", "))
	p.field("accounts", strings.Join(c.GoogleServiceAccounts, ", "))
}

func textBoot(p *page, b *claims.Boot) {
	p.field("technology", b.Technology)
	if b.Firmware != nil {
		p.field("firmware", b.Firmware.CRTMVersion)
	}
	if b.SecureBoot != nil && b.SecureBoot.Enabled != nil {
		p.field("secure boot", map[bool]string{true: "on", false: "off"}[*b.SecureBoot.Enabled])
	}
	if b.Kernel != nil {
		p.field("kernel", b.Kernel.CommandLine)
		p.forgeable("boot.kernel", b)
	}
	p.field("unexplained", indexes(b.UnexplainedPCRs))
	if n := len(b.UnknownEvents); n > 0 {
		p.field("unknown", count(n, "event")+" of a type that is not defined")
	}
	p.field("forgeable", strings.Join(b.Forgeable, ", "))
}

func textContainer(p *page, c *claims.Claims) {
	image := c.Submods.Container
	p.field("container", image.ImageReference)
	p.field("image", image.ImageDigest)
	p.forgeable("submods.container", c.Boot)
}

func textTPM(p *page, t *claims.TPM) {
	p.field("key", fmt.Sprintf("%s of %d bits, %s", t.AK.Algorithm, t.AK.Bits, trustWord(t.AK)))
	p.field("banks", strings.Join(t.Banks, ", "))
	p.field("nonce", t.Nonce)
}

// textTEE writes what a hardware report says that most policies ask for.
func textTEE(p *page, t *claims.TEE) {
	p.field("bound to", strings.Join(t.BoundTo, ", ")+" ("+t.Binding+")")
	if r := t.SNP; r != nil {
		p.field("report", fmt.Sprintf("SEV-SNP version %d, %s, VMPL %d, signed by a %s", r.ReportVersion, r.Product, r.VMPL, r.SigningKey))
		p.field("measurement", r.Measurement)
		p.field("tcb", tcbText(r.TCB.Reported)+", revocation "+r.Revocation)
	}
	if q := t.TDX; q != nil {
		p.field("report", fmt.Sprintf("TDX quote version %d, FMSPC %s", q.QuoteVersion, q.PCK.FMSPC))
		p.field("mrtd", q.MRTD)
		p.field("tcb", q.TCBStatus)
	}
}

func tcbText(t claims.TCB) string {
	text := fmt.Sprintf("bootloader %d, tee %d, snp %d, microcode %d", t.BootLoader, t.TEE, t.SNP, t.Microcode)
	if t.FMC != nil {
		text = fmt.Sprintf("fmc %d, ", *t.FMC) + text
	}
	return text
}

// trustWord says why the key is trusted.
func trustWord(ak claims.AK) string {
	if ak.Certificate == nil {
		return ak.Trust
	}
	return "certified until " + time.Unix(ak.Certificate.NotAfter, 0).UTC().Format(time.DateOnly)
}

// forgeable notes below the last value that it can be forged, on a line of its
// own so that no value can look like the note.
func (p *page) forgeable(name string, b *claims.Boot) {
	if b != nil && slices.Contains(b.Forgeable, name) {
		p.line(plain(strings.Repeat(" ", len("  ")+fieldWidth+1)), span{"forgeable after boot", yellow})
	}
}

// indexes writes ascending PCRs, with a dash where three or more follow another.
func indexes(pcrs []int) string {
	var words []string
	for len(pcrs) > 0 {
		n := 1
		for n < len(pcrs) && pcrs[n] == pcrs[0]+n {
			n++
		}
		if n < 3 {
			n = 1
		}
		word := strconv.Itoa(pcrs[0])
		if n > 1 {
			word += "-" + strconv.Itoa(pcrs[n-1])
		}
		words, pcrs = append(words, word), pcrs[n:]
	}
	if words == nil {
		return ""
	}
	return "PCR " + strings.Join(words, ", ")
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
