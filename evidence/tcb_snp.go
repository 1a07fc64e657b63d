package evidence

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/attestctl/attestctl/evidence/snp"
)

// SNPTCBs is what an SEV-SNP report and the certificate beside it say of the
// firmware, decoded and not verified.
type SNPTCBs struct {
	ReportVersion int    `json:"report_version"`
	SigningKey    string `json:"signing_key"` // VCEK, VLEK or none
	// Product is Milan, Genoa or Turin, and ProductFrom tells whether "cpuid" or,
	// for a version 2 report, "certificate" says so. Without a product the TCBs
	// are numbers only, and NoProduct says why there is none.
	Product     string `json:"product,omitempty"`
	ProductFrom string `json:"product_from,omitempty"`
	NoProduct   string `json:"no_product,omitempty"`
	ChipID      string `json:"chip_id,omitempty"` // hex; absent where the host hides it

	Reported  TCBLevel `json:"reported"`  // the one that the VCEK is derived for
	Committed TCBLevel `json:"committed"` // the host cannot go below it
	Current   TCBLevel `json:"current"`   // the one that runs
	Launch    TCBLevel `json:"launch"`    // the current one when the guest started

	FirmwareCurrent   string `json:"firmware_current"` // major.minor.build
	FirmwareCommitted string `json:"firmware_committed"`
	// Provisional: the committed firmware is not the current one, so that the host
	// can still go back to it (AMD 56860, SNP_COMMIT).
	Provisional bool `json:"provisional"`

	Certificate *SNPKeyTCB `json:"certificate,omitempty"` // nil: there is none
	// VCEKURL is where AMD serves the VCEK that fits (AMD 57230); NoVCEK says why
	// there is none.
	VCEKURL string `json:"vcek_url,omitempty"`
	NoVCEK  string `json:"no_vcek,omitempty"`
}

// SNPKeyTCB is what the certificate of a VCEK or VLEK says, and whether it is
// the one that belongs to the report. Of its signature nothing is said.
type SNPKeyTCB struct {
	Key         string    `json:"key,omitempty"`
	ProductName string    `json:"product_name,omitempty"` // as it has it, such as Milan-B0
	TCB         *TCBLevel `json:"tcb,omitempty"`
	ChipID      string    `json:"chip_id,omitempty"` // hex, of a VCEK
	CSPID       string    `json:"csp_id,omitempty"`  // of a VLEK
	Fits        bool      `json:"fits"`
	WhyNot      []string  `json:"why_not,omitempty"` // every difference
}

// TCBLevel is one TCB_VERSION (AMD 56860). Components is empty, and Error says
// why, where the number has no meaning for the product.
type TCBLevel struct {
	Raw        string        `json:"raw"` // 16 hex digits, most significant first
	Components TCBComponents `json:"components,omitempty"`
	Error      string        `json:"error,omitempty"`

	tcb snp.TCB
}

// TCBComponents lists the components that the product has, in the order of the
// report. In JSON it is an object.
type TCBComponents []TCBComponent

// TCBComponent is one component and its security patch level.
type TCBComponent struct {
	Name string
	SPL  uint8
}

// MarshalJSON gives {"bootloader": 4, …}.
func (c TCBComponents) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, one := range c {
		name, err := json.Marshal(one.Name)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "%s:%d", name, one.SPL)
	}
	return append(out, '}'), nil
}

// String lists the components, or gives the number where they have no names.
func (l *TCBLevel) String() string {
	if len(l.Components) == 0 {
		return "0x" + l.Raw
	}
	list := make([]string, 0, len(l.Components))
	for _, c := range l.Components {
		list = append(list, fmt.Sprintf("%s %d", c.Name, c.SPL))
	}
	return strings.Join(list, ", ")
}

func newTCBLevel(raw snp.RawTCB, product snp.Product) TCBLevel {
	l := TCBLevel{Raw: hex64(uint64(raw))}
	if product == "" {
		return l
	}
	tcb, err := raw.Decode(product)
	if err != nil {
		l.Error = err.Error()
		return l
	}
	l.tcb = tcb
	for _, c := range tcb.Components() {
		l.Components = append(l.Components, TCBComponent{c.Name, c.SPL})
	}
	return l
}

// kds is AMD's Key Distribution Service (AMD 57230). Nothing is fetched.
const kds = "https://kdsintf.amd.com"

// snpTCBs decodes a report and compares it with key or, if that is nil, with the
// certificate that came with the report.
func snpTCBs(e *snpEvidence, key *SNPKey) *SNPTCBs {
	r := e.report
	t := &SNPTCBs{
		ReportVersion: int(r.Version), SigningKey: r.KeyInfo.SigningKey.String(),
		FirmwareCurrent: r.Current.String(), FirmwareCommitted: r.Committed.String(),
		Provisional: r.CommittedTCB != r.CurrentTCB || r.Committed != r.Current,
	}
	if !r.ChipIDMasked() {
		t.ChipID = hex.EncodeToString(r.ChipID[:])
	}
	var cert *snp.Certificate
	var err error
	switch {
	case key != nil:
		cert = key.cert
	case len(e.key) > 0:
		if cert, err = snp.ParseCertificate(e.key); err != nil {
			t.Certificate = &SNPKeyTCB{WhyNot: []string{err.Error()}}
		}
	}
	product := t.setProduct(r, cert)
	t.setLevels(r, product)
	if cert != nil {
		t.Certificate = snpKeyTCB(r, cert)
	}
	path, err := snp.VCEKFor(r, product)
	switch {
	case product == "":
		t.NoVCEK = "the product is not known"
	case err != nil:
		t.NoVCEK = err.Error()
	default:
		t.VCEKURL = kds + path
	}
	return t
}

// setProduct takes the product from the report where it names a processor. Only
// a report of version 2 names none: then the certificate's is all there is.
func (t *SNPTCBs) setProduct(r *snp.Report, cert *snp.Certificate) snp.Product {
	product, known := r.Product()
	switch {
	case known:
		t.ProductFrom = "cpuid"
	case r.HasCPUID():
		t.NoProduct = fmt.Sprintf("the processor (family 0x%02x, model 0x%02x) is of no known product", r.CPUID.Family, r.CPUID.Model)
		return ""
	case cert == nil:
		t.NoProduct = fmt.Sprintf("a version %d report names no product, and no certificate says it (--snp-cert)", r.Version)
		return ""
	default:
		product, t.ProductFrom = cert.Product, "certificate"
	}
	t.Product = string(product)
	return product
}

func (t *SNPTCBs) setLevels(r *snp.Report, product snp.Product) {
	to := map[string]*TCBLevel{"reported": &t.Reported, "committed": &t.Committed, "current": &t.Current, "launch": &t.Launch}
	for _, n := range tcbsOf(r) {
		*to[n.name] = newTCBLevel(n.raw, product)
	}
}

func snpKeyTCB(r *snp.Report, cert *snp.Certificate) *SNPKeyTCB {
	level := newTCBLevel(cert.TCB.Raw(), cert.Product)
	k := &SNPKeyTCB{
		Key: cert.Key.String(), ProductName: cert.ProductName, TCB: &level,
		ChipID: hex.EncodeToString(cert.HWID), CSPID: cert.CSPID, WhyNot: misfits(r, cert),
	}
	k.Fits = len(k.WhyNot) == 0 && r.Matches(cert) == nil
	return k
}

// misfits lists the ways in which a certificate is not that of the key which
// signs the report.
func misfits(r *snp.Report, cert *snp.Certificate) []string {
	var list []string
	if k := r.KeyInfo.SigningKey; k != cert.Key {
		list = append(list, fmt.Sprintf("signing key: report %v, certificate %v", k, cert.Key))
	}
	product, known := r.Product()
	if known && product != cert.Product {
		return append(list, fmt.Sprintf("product: report %s, certificate %s", product, cert.Product))
	}
	list = append(list, differences(r, cert)...)
	if cert.Key == snp.VCEK && !r.ChipIDMasked() {
		var chip [len(r.ChipID)]byte // the hwID of a Turin is the shorter one; zeros follow
		if copy(chip[:], cert.HWID); chip != r.ChipID {
			list = append(list, "chip: another one than the report's")
		}
	}
	if err := r.Matches(cert); err != nil && !errors.Is(err, snp.ErrMismatch) {
		list = append(list, err.Error())
	}
	return list
}

// differences compares the reported TCB with that of a certificate by component.
func differences(r *snp.Report, cert *snp.Certificate) []string {
	reported, err := r.ReportedTCB.Decode(cert.Product)
	if err != nil {
		return nil // Matches says so
	}
	var list []string
	of := cert.TCB.Components()
	for i, c := range reported.Components() {
		if c != of[i] {
			list = append(list, fmt.Sprintf("%s: report %d, certificate %d", c.Name, c.SPL, of[i].SPL))
		}
	}
	return list
}
