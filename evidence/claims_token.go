package evidence

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/evidence/token"
)

// tokenClaims publishes what the token says: its own spelling below token, and
// in the common block what has the meaning of Google's names. What raw evidence
// beside it has proven stays, but for the nonce, which is the token's.
func (s *verification) tokenClaims(c *claims.Claims) {
	if s.verified == nil {
		return
	}
	t := &s.verified.Claims
	c.Token = exactNumbers(s.verified.Raw())
	c.Iss, c.Aud, c.Iat, c.Nbf, c.Exp = t.Issuer, t.Audience, &t.IssuedAt, t.NotBefore, t.Expires
	c.EATProfile, c.EATNonce, c.SWVersion, c.DbgStat = t.EATProfile, t.EATNonce, t.SWVersion, t.DbgStat
	c.GoogleServiceAccounts = t.GoogleServiceAccounts
	c.Sub = cmp.Or(c.Sub, t.Subject)
	c.HWModel = cmp.Or(c.HWModel, known(t.HWModel, tokenHWModels))
	c.SWName = cmp.Or(c.SWName, known(t.SWName, tokenSWNames))
	c.SecBoot, c.OEMID = cmp.Or(c.SecBoot, t.SecBoot), cmp.Or(c.OEMID, t.OEMID)
	if c.AttesterTCB == nil {
		c.AttesterTCB = t.AttesterTCB
	}
	if t.Submods != nil {
		c.Submods = joined(c.Submods, submodClaims(t.Submods))
	}
}

// joined takes each part from the first that has it.
func joined(a, b *claims.Submods) *claims.Submods {
	if a == nil {
		return b
	}
	return &claims.Submods{
		GCE: cmp.Or(a.GCE, b.GCE), ConfidentialSpace: cmp.Or(a.ConfidentialSpace, b.ConfidentialSpace),
		NVIDIAGPU: cmp.Or(a.NVIDIAGPU, b.NVIDIAGPU), Container: cmp.Or(a.Container, b.Container),
	}
}

// The values that mean the same whoever says them. One that is added later is
// nothing a policy of today has thought of.
var (
	tokenHWModels = []string{"GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_AMD_SEV_SNP", "GCP_INTEL_TDX", "GCP_SHIELDED_VM", "INTEL_TDX"}
	tokenSWNames  = []string{"GCE", "CONFIDENTIAL_SPACE"}
)

func known(value string, values []string) string {
	if slices.Contains(values, value) {
		return value
	}
	return ""
}

func submodClaims(t *token.Submods) *claims.Submods {
	s := &claims.Submods{}
	if g := t.GCE; g != nil {
		s.GCE = &claims.GCE{
			Zone: g.Zone, ProjectID: g.ProjectID, ProjectNumber: g.ProjectNumber,
			InstanceName: g.InstanceName, InstanceID: g.InstanceID,
		}
	}
	if t.Container != nil {
		s.Container = containerClaims(t.Container)
	}
	if cs := t.ConfidentialSpace; cs != nil {
		s.ConfidentialSpace = &claims.ConfidentialSpace{SupportAttributes: cs.SupportAttributes}
		if cs.MonitoringMemory != nil {
			s.ConfidentialSpace.MonitoringEnabled = &claims.MonitoringEnabled{Memory: *cs.MonitoringMemory}
		}
	}
	if g := t.NVIDIAGPU; g != nil && g.CCMode != "" {
		s.NVIDIAGPU = &claims.NVIDIAGPU{CCMode: g.CCMode}
	}
	return s
}

func containerClaims(t *token.Container) *claims.Container {
	c := &claims.Container{
		ImageReference: t.ImageReference, ImageDigest: t.ImageDigest, ImageID: t.ImageID, RestartPolicy: t.RestartPolicy,
		Args: t.Args, Env: t.Env, EnvOverride: t.EnvOverride, CmdOverride: t.CmdOverride,
	}
	for _, sig := range t.ImageSignatures {
		c.ImageSignatures = append(c.ImageSignatures, claims.ImageSignature{KeyID: sig.KeyID, Signature: sig.Signature, Algorithm: sig.Algorithm})
	}
	return c
}

// exactNumbers returns a copy in which every number that an engine could round
// or write otherwise is a string of the same digits: all but integers up to
// 2^53 in their shortest form (RFC 7493 2.2).
func exactNumbers(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name, v := range m {
		out[name] = exactNumber(v)
	}
	return out
}

func exactNumber(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return exactNumbers(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = exactNumber(v[i])
		}
		return list
	case json.Number:
		const most = 1 << 53
		if i, err := strconv.ParseInt(v.String(), 10, 64); err != nil || i > most || i < -most || strconv.FormatInt(i, 10) != v.String() {
			return v.String()
		}
	}
	return v
}
