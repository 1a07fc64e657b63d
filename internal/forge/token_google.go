package forge

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The profiles of the claims, as eat_profile names them.
const (
	gceClaimsProfile   = "https://cloud.google.com/confidential-computing/confidential-vm/docs/token-claims"
	spaceClaimsProfile = "https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims"
)

// hwModels are the names of the technologies in Google's tokens.
var hwModels = map[Technology]string{
	NoTechnology: "GCP_SHIELDED_VM", AMDSEV: "GCP_AMD_SEV", AMDSEVES: "GCP_AMD_SEV_ES",
	AMDSEVSNP: "GCP_AMD_SEV_SNP", IntelTDX: "GCP_INTEL_TDX",
}

// attesters are those whose firmware the hardware reports.
var attesters = map[Technology]any{AMDSEVSNP: []string{"AMD", "GOOGLE"}, IntelTDX: []string{"INTEL"}}

// googleClaims are what Google Cloud Attestation says of the machine, in the
// order of its tokens.
func googleClaims(t Token) (*Object, error) {
	m := *t.Machine
	return &Object{
		{"aud", t.Audience},
		{"exp", t.after(time.Hour)},
		{"iat", t.after(0)},
		{"iss", GoogleIssuer},
		{"nbf", t.after(0)},
		{"sub", m.Instance.url()},
		{"eat_nonce", textOrTexts(t.Nonces)},
		{"eat_profile", m.claimsProfile()},
		{"secboot", m.Boot.SecureBoot == SecureBootOn},
		{"oemid", 11129},
		{"hwmodel", hwModels[m.Technology]},
		{"swname", m.swName()},
		{"swversion", m.swVersion()},
		{"attester_tcb", attesters[m.Technology]},
		{"dbgstat", m.dbgStat()},
		{"submods", m.submods()},
		{"tdx", m.tdxClaims()},
		{"google_service_accounts", m.Instance.serviceAccounts()},
	}, nil
}

func (m Machine) claimsProfile() string {
	if m.Container != nil {
		return spaceClaimsProfile
	}
	return gceClaimsProfile
}

func (m Machine) swName() string {
	if m.Container != nil {
		return "CONFIDENTIAL_SPACE"
	}
	return "GCE"
}

func (m Machine) swVersion() any {
	if m.Container == nil {
		return nil
	}
	return []string{"250800"}
}

// isDebugImage tells a Confidential Space image for debugging by its command
// line. One without the parameter is taken for production.
func (m Machine) isDebugImage() bool {
	return strings.Contains(m.Boot.CommandLine, "confidential-space.hardened=false")
}

// dbgStat is not in the tokens of plain Compute Engine machines since 2025.
func (m Machine) dbgStat() any {
	switch {
	case m.Container == nil:
		return nil
	case m.isDebugImage():
		return "enabled"
	}
	return "disabled-since-boot"
}

func (m Machine) submods() *Object {
	i := m.Instance.orDefault()
	o := &Object{}
	if c := m.Container; c != nil {
		space := &Object{{"support_attributes", []string{"LATEST", "STABLE", "USABLE"}}}
		if m.isDebugImage() {
			space = &Object{}
		}
		space.Set("monitoring_enabled", &Object{{"memory", c.MemoryMonitor}})
		o.Set("confidential_space", space)
		o.Set("container", c.claims())
	}
	o.Set("gce", &Object{
		{"zone", i.Zone},
		{"project_id", i.ProjectID},
		{"project_number", strconv.FormatInt(i.ProjectNumber, 10)},
		{"instance_name", i.Name},
		{"instance_id", strconv.FormatInt(i.ID, 10)},
	})
	return o
}

func (c *Container) claims() *Object {
	policy := c.RestartPolicy
	if policy == "" {
		policy = "Never"
	}
	o := &Object{
		{"image_reference", c.ImageRef},
		{"image_digest", c.ImageDigest},
		{"restart_policy", policy},
		{"image_id", c.ImageID},
		{"env_override", environment(c.OverrideEnv)},
		{"cmd_override", texts(c.OverrideArgs)},
		{"env", environment(c.Env)},
		{"args", texts(c.Args)},
	}
	return o.strip()
}

// environment makes an object of NAME=value, by name.
func environment(list []string) any {
	if len(list) == 0 {
		return nil
	}
	values := map[string]string{}
	for _, s := range list {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	o := &Object{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		o.Set(name, values[name])
	}
	return o
}

// tdxClaims is Google's judgement of the platform, in tokens of Confidential
// Space on TDX.
func (m Machine) tdxClaims() any {
	if m.Container == nil || m.Technology != IntelTDX {
		return nil
	}
	return &Object{{"gcp_attester_tcb_status", "UpToDate"}, {"gcp_attester_tcb_date", "2024-03-13T00:00:00Z"}}
}

// url names the instance as the Compute Engine API does.
func (i Instance) url() string {
	i = i.orDefault()
	return "https://www.googleapis.com/compute/v1/projects/" + i.ProjectID + "/zones/" + i.Zone + "/instances/" + i.Name
}

func (i Instance) serviceAccounts() []string {
	return []string{strconv.FormatInt(i.orDefault().ProjectNumber, 10) + "-compute@developer.gserviceaccount.com"}
}
