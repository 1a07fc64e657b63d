package token

import (
	"errors"
	"strings"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// Claims are what a verified token says, under the names of Google's tokens. An
// absent claim is nil or empty and says nothing.
//
// Tokens of Intel Trust Authority for Confidential Space use Google's names and
// meanings, with two differences that are kept as they are: hwmodel is INTEL_TDX,
// and tdx has Intel's own attester_tcb_status beside Google's, which stays in
// Raw. Of Microsoft's tokens and of EARs only the registered claims, eat_profile
// and the nonce mean the same; the rest is in Raw.
type Claims struct {
	Issuer    string
	Subject   string
	Audience  []string
	IssuedAt  int64 // seconds since the Unix epoch, as the next two
	NotBefore *int64
	Expires   *int64

	EATNonce   []string // Microsoft: nonce
	EATProfile string

	HWModel               string
	SWName                string
	SWVersion             []string
	SecBoot               *bool
	DbgStat               string
	OEMID                 *int64
	AttesterTCB           []string
	GoogleServiceAccounts []string
	Submods               *Submods
	TDX                   *TDX
}

// Submods are the parts of the machine.
type Submods struct {
	GCE               *GCE
	Container         *Container
	ConfidentialSpace *ConfidentialSpace
	NVIDIAGPU         *NVIDIAGPU
}

// GCE is a Compute Engine instance.
type GCE struct {
	Zone, ProjectID, ProjectNumber, InstanceName, InstanceID string
}

// Container is the workload of a Confidential Space.
type Container struct {
	ImageReference  string
	ImageDigest     string
	ImageID         string
	RestartPolicy   string
	Args            []string
	Env             map[string]string
	EnvOverride     map[string]string
	CmdOverride     []string
	ImageSignatures []ImageSignature
}

// ImageSignature is a signature of the workload's image that was verified.
type ImageSignature struct {
	KeyID, Signature, Algorithm string
}

// ConfidentialSpace is the state of the launcher. Debug images have no support
// attributes.
type ConfidentialSpace struct {
	SupportAttributes []string
	MonitoringMemory  *bool // monitoring_enabled.memory
}

// NVIDIAGPU is the state of the GPU.
type NVIDIAGPU struct {
	CCMode string
}

// TDX is how current the platform was, in the judgement of Google.
type TDX struct {
	GCPAttesterTCBStatus string // UpToDate, for instance
	GCPAttesterTCBDate   string // RFC 3339
}

// checkClaims decodes the claims that no other step has. One of another type
// than documented is an error.
func (a *appraisal) checkClaims() error {
	var failed error
	f := fieldsOf(a.token.claims, &failed)
	a.claims.Subject, a.claims.EATProfile = f.text("sub"), f.text("eat_profile")
	if a.profile.Platform {
		a.claims.decodePlatform(f)
	}
	if failed != nil {
		return failed
	}
	return a.claims.checkSubject()
}

func (c *Claims) decodePlatform(f fields) {
	c.HWModel, c.SWName, c.SWVersion = f.text("hwmodel"), f.text("swname"), f.texts("swversion")
	c.SecBoot, c.DbgStat, c.OEMID = f.boolean("secboot"), f.text("dbgstat"), f.integer("oemid")
	c.AttesterTCB, c.GoogleServiceAccounts = f.texts("attester_tcb"), f.texts("google_service_accounts")
	if t, ok := f.child("tdx"); ok {
		tdx := TDX{t.text("gcp_attester_tcb_status"), t.text("gcp_attester_tcb_date")}
		if tdx != (TDX{}) {
			c.TDX = &tdx
		}
	}
	if s, ok := f.child("submods"); ok {
		c.Submods = decodeSubmods(s)
	}
}

func decodeSubmods(f fields) *Submods {
	s := &Submods{}
	if g, ok := f.child("gce"); ok {
		s.GCE = &GCE{g.text("zone"), g.text("project_id"), g.text("project_number"), g.text("instance_name"), g.text("instance_id")}
	}
	if c, ok := f.child("container"); ok {
		s.Container = decodeContainer(c)
	}
	if c, ok := f.child("confidential_space"); ok {
		s.ConfidentialSpace = &ConfidentialSpace{SupportAttributes: c.texts("support_attributes")}
		if m, ok := c.child("monitoring_enabled"); ok {
			s.ConfidentialSpace.MonitoringMemory = m.boolean("memory")
		}
	}
	if g, ok := f.child("nvidia_gpu"); ok {
		s.NVIDIAGPU = &NVIDIAGPU{g.text("cc_mode")}
	}
	return s
}

func decodeContainer(f fields) *Container {
	c := &Container{
		ImageReference: f.text("image_reference"), ImageDigest: f.text("image_digest"), ImageID: f.text("image_id"),
		RestartPolicy: f.text("restart_policy"), Args: f.texts("args"), Env: f.textMap("env"),
	}
	if !f.isNull("env_override") { // tokens of 2023 write null for none
		c.EnvOverride = f.textMap("env_override")
	}
	if !f.isNull("cmd_override") {
		c.CmdOverride = f.texts("cmd_override")
	}
	list, _ := f.of("image_signatures", strictjson.Array)
	for _, n := range list.Items {
		if n.Kind != strictjson.Object {
			f.fail("image_signatures", "holds %v, want objects", n.Kind)
			return c
		}
		s := fields{f.name("image_signatures"), n, f.err}
		c.ImageSignatures = append(c.ImageSignatures, ImageSignature{s.text("key_id"), s.text("signature"), s.text("signature_algorithm")})
	}
	return c
}

const instancePrefix = "https://www.googleapis.com/compute/v1/projects/"

// checkSubject compares the instance that sub names with submods.gce.
func (c *Claims) checkSubject() error {
	path, ok := strings.CutPrefix(c.Subject, instancePrefix)
	if !ok || c.Submods == nil || c.Submods.GCE == nil {
		return nil
	}
	g := c.Submods.GCE
	if path != g.ProjectID+"/zones/"+g.Zone+"/instances/"+g.InstanceName {
		return errors.New("sub names another instance than submods.gce")
	}
	return nil
}
