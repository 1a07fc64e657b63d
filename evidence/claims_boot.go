package evidence

import (
	"maps"
	"reflect"
	"slices"

	"github.com/attestctl/attestctl/evidence/claims"
	"github.com/attestctl/attestctl/replay"
)

// hwModels gives the hwmodel of Google's tokens for the technologies whose
// measurement alone proves it. SEV-SNP and TDX need their hardware report.
var hwModels = map[string]string{
	"NONE":       "GCP_SHIELDED_VM",
	"AMD_SEV":    "GCP_AMD_SEV",
	"AMD_SEV_ES": "GCP_AMD_SEV_ES",
}

// bootClaims publishes what the replayed event logs say.
func (s *verification) bootClaims(c *claims.Claims) {
	b := s.boot.boot
	if b == nil {
		return
	}
	c.Boot = &claims.Boot{
		Bank:                  b.Bank.String(),
		RequiredPCRs:          s.want.requiredPCRs(),
		Complete:              s.requiresDefault(),
		Events:                s.boot.events,
		UnexplainedPCRs:       slices.Sorted(maps.Keys(s.boot.unexplained)),
		UnquotedPCRs:          s.boot.unquoted,
		Technology:            b.Technology,
		SecureBoot:            secureBootClaims(&b.SecureBoot),
		EFIApps:               imageClaims(b.EFIApps),
		EFIDrivers:            imageClaims(b.Drivers),
		DeviceImages:          imageClaims(b.DeviceImages),
		Attempts:              b.Attempts,
		UEFIDebug:             b.UEFIDebug,
		DMAProtectionDisabled: b.DMAProtectionDisabled,
		Forgeable:             slices.Clone(b.Forgeable),
	}
	for _, u := range b.UnknownEvents {
		c.Boot.UnknownEvents = append(c.Boot.UnknownEvents, claims.UnknownEvent(u))
	}
	if fw := b.Firmware; fw.SCRTMVersion != "" {
		version := int64(*fw.GCEVersion)
		c.Boot.Firmware = &claims.Firmware{CRTMVersion: fw.SCRTMVersion, GCEVersion: &version}
	}
	if b.ExitBootServices != (replay.ExitBootServices{}) {
		ebs := claims.ExitBootServices(b.ExitBootServices)
		c.Boot.ExitBootServices = &ebs
	}
	loaderClaims(c.Boot, b)
	c.SecBoot = b.SecureBoot.Enabled
	if s.ak.pin == nil { // only Google's firmware measures a technology that means something
		c.HWModel = hwModels[b.Technology]
	}
	c.Boot.Forgeable = append(c.Boot.Forgeable, "boot.events")
	if len(c.Boot.UnexplainedPCRs) > 0 {
		c.Boot.Forgeable = append(c.Boot.Forgeable, "boot.unexplained_pcrs")
	}
	if len(c.Boot.UnquotedPCRs) > 0 {
		c.Boot.Forgeable = append(c.Boot.Forgeable, "boot.unquoted_pcrs")
	}
	if len(c.Boot.UnknownEvents) > 0 {
		c.Boot.Forgeable = append(c.Boot.Forgeable, "boot.unknown_events")
	}
	s.containerClaims(c)
}

// requiresDefault reports whether no PCR of the default set was waived.
func (s *verification) requiresDefault() bool {
	required := s.want.requiredPCRs()
	return !slices.ContainsFunc(DefaultPCRs(), func(i int) bool { return !slices.Contains(required, i) })
}

func loaderClaims(c *claims.Boot, b *replay.Boot) {
	if b.GRUB != nil {
		c.GRUB = &claims.GRUB{Commands: b.GRUB.Commands}
		for _, f := range b.GRUB.Files {
			c.GRUB.Files = append(c.GRUB.Files, claims.File{UntrustedName: f.UntrustedName, Digest: f.Digest})
		}
	}
	if b.Kernel != nil {
		c.Kernel = &claims.Kernel{CommandLine: b.Kernel.CommandLine}
	}
	for _, t := range b.Tagged {
		c.Tagged = append(c.Tagged, claims.Tagged{UntrustedID: t.ID, Digest: t.Digest})
	}
}

func imageClaims(digests []string) []claims.Image {
	var list []claims.Image
	for _, d := range digests {
		list = append(list, claims.Image{Digest: d})
	}
	return list
}

// secureBootClaims is nil if nothing of Secure Boot was measured.
func secureBootClaims(s *replay.SecureBoot) *claims.SecureBoot {
	c := claims.SecureBoot{
		Enabled:   s.Enabled,
		PK:        databaseClaims(s.PK),
		KEK:       databaseClaims(s.KEK),
		DB:        databaseClaims(s.DB),
		DBX:       databaseClaims(s.DBX),
		SBATLevel: s.SBATLevel,
	}
	for _, a := range s.Authority {
		c.Authority = append(c.Authority, claims.Authority{
			Variable: a.Variable, Type: a.Type, SHA256: a.SHA256, Subject: a.Subject, Owner: a.Owner,
		})
	}
	if m := s.MOK; len(m.Lists) > 0 || m.ValidationDisabled != nil || m.ListTrusted != nil {
		c.MOK = &claims.MOK{ValidationDisabled: m.ValidationDisabled, ListTrusted: m.ListTrusted}
		for _, e := range m.Lists {
			c.MOK.Events = append(c.MOK.Events, claims.MOKEvent(e))
		}
	}
	if reflect.ValueOf(c).IsZero() {
		return nil
	}
	return &c
}

func databaseClaims(d *replay.Database) *claims.Database {
	if d == nil {
		return nil
	}
	c := new(claims.Database)
	for _, s := range d.Signatures {
		switch s.Type {
		case "x509":
			c.Certificates = append(c.Certificates, signatureClaims(s))
		case "sha256":
			c.Hashes = append(c.Hashes, s.SHA256)
		default:
			c.Other = append(c.Other, signatureClaims(s))
		}
	}
	return c
}

func signatureClaims(s replay.Signature) claims.Signature {
	return claims.Signature{Type: s.Type, SHA256: s.SHA256, Subject: s.Subject, Owner: s.Owner}
}

// containerClaims publishes the workload of Confidential Space. Whoever owns a
// VM of another kind can extend PCR 13 with a launch of his own making, so that
// these claims are forgeable unless the boot is pinned too.
func (s *verification) containerClaims(c *claims.Claims) {
	if s.cos == nil {
		return
	}
	k := s.cos.container
	c.SWName = "CONFIDENTIAL_SPACE"
	c.Submods = &claims.Submods{Container: &claims.Container{
		ImageReference: k.ImageReference,
		ImageDigest:    k.ImageDigest,
		ImageID:        k.ImageID,
		RestartPolicy:  k.RestartPolicy,
		Args:           k.Args,
		Env:            k.Env,
		EnvOverride:    k.OverrideEnv,
		CmdOverride:    k.OverrideArgs,
	}}
	c.Boot.Forgeable = append(c.Boot.Forgeable, "swname", "submods.container")
	if k.MemoryMonitor != nil {
		c.Boot.Forgeable = append(c.Boot.Forgeable, "submods.confidential_space")
		c.Submods.ConfidentialSpace = &claims.ConfidentialSpace{MonitoringEnabled: &claims.MonitoringEnabled{Memory: *k.MemoryMonitor}}
	}
	if k.GPUCCMode != "" {
		c.Boot.Forgeable = append(c.Boot.Forgeable, "submods.nvidia_gpu")
		c.Submods.NVIDIAGPU = &claims.NVIDIAGPU{CCMode: k.GPUCCMode}
	}
}
