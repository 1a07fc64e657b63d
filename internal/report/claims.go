package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence/claims"
)

// textClaims writes what most readers look for first. A mark shows what the
// owner of the machine could have forged after boot. JSON has all of it.
func textClaims(p *page, c *claims.Claims) {
	textInstance(p, c)
	p.field("hardware", c.HWModel)
	p.field("software", c.SWName)
	if c.Boot != nil {
		textBoot(p, c.Boot)
	}
	if c.Submods != nil && c.Submods.Container != nil {
		textContainer(p, c)
	}
	if c.TPM != nil {
		textTPM(p, c.TPM)
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
	p.field("instance", g.InstanceName+", id "+g.InstanceID)
	p.field("project", g.ProjectID+", number "+g.ProjectNumber)
	p.field("zone", g.Zone)
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
		p.field("kernel", mark(b.Kernel.CommandLine, "boot.kernel", b.Forgeable))
	}
	p.field("unexplained", indexes(b.UnexplainedPCRs))
	if n := len(b.UnknownEvents); n > 0 {
		p.field("unknown", fmt.Sprintf("%d events of a type that is not defined", n))
	}
	p.field("forgeable", strings.Join(b.Forgeable, ", "))
}

func textContainer(p *page, c *claims.Claims) {
	image := c.Submods.Container
	p.field("container", image.ImageReference)
	var forgeable []string
	if c.Boot != nil {
		forgeable = c.Boot.Forgeable
	}
	p.field("image", mark(image.ImageDigest, "submods.container", forgeable))
}

func textTPM(p *page, t *claims.TPM) {
	p.field("key", fmt.Sprintf("%s of %d bits, trusted by %s", t.AK.Algorithm, t.AK.Bits, trustWord(t.AK)))
	p.field("banks", strings.Join(t.Banks, ", "))
	p.field("nonce", t.Nonce)
}

// trustWord says why the key is trusted.
func trustWord(ak claims.AK) string {
	if ak.Certificate == nil {
		return ak.Trust
	}
	return fmt.Sprintf("%s until %s", ak.Trust, date(time.Unix(ak.Certificate.NotAfter, 0)))
}

// mark adds a word to a value that stands in the list of forgeable claims.
func mark(value, name string, forgeable []string) string {
	if value != "" && slices.Contains(forgeable, name) {
		return value + "  (forgeable after boot)"
	}
	return value
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func indexes(pcrs []int) string {
	if len(pcrs) == 0 {
		return ""
	}
	words := make([]string, len(pcrs))
	for i, pcr := range pcrs {
		words[i] = strconv.Itoa(pcr)
	}
	return "PCR " + strings.Join(words, ", ")
}
