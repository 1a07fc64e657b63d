package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/challenge"
)

// policyFlags say what is released and who decides.
func (s *serve) policyFlags(c *cobra.Command) {
	f, o := c.Flags(), &s.o
	f.StringVar(&o.Policy, "policy", "", "the policy that decides: builtin:NAME, a folder or a bundle `FILE`")
	f.StringVar(&o.Config, "config", "", "JSON or YAML `FILE` that the policy sees as data.config, instead of its own")
	f.StringVar(&o.ShadowPolicy, "shadow-policy", "", "a `POLICY` that is asked too, and only logged")
	f.StringVar(&o.ShadowConfig, "shadow-config", "", "`FILE` that the shadow policy sees as data.config")
	choice(c, &s.engine, "engine", "", "rego (the reference) or wasm", []string{engineRego, engineWASM})
	f.StringVar(&o.Secrets, "secrets", "", "`DIR` with secrets.yaml")
	f.BoolVar(&o.Appraise, "appraise", false, "answer POST /v1/appraise, which tells the reasons of a decision")
	completePolicy(c)
}

// expectFlags say what evidence must have been made for, and whose counts.
func (s *serve) expectFlags(c *cobra.Command) {
	f, o := c.Flags(), &s.o
	s.trust.add(f)
	f.StringVar(&o.Audience, "audience", "", "`AUDIENCE` that a token must have been made for; without it no token is accepted")
	f.StringVar(&o.Issuer, "issuer", "", "issuer `URL` of tokens (default that of Google Cloud Attestation)")
	choice(c, &o.TokenProfile, "token-profile", "", "kind of issuer, where --issuer does not say it: ear", evidence.TokenProfiles())
	f.StringVar(&o.TokenNonce, "token-nonce", "", "the one `NONCE` of tokens that answer no challenge; it proves nothing of freshness")
	f.Var(&parsed[[]int]{&o.RequirePCRs, parsePCRs, "LIST", ""}, "require-pcrs", "PCRs that must be quoted and explained (default 0-9,14)")
	f.Uint32Var(&o.VMPL, "vmpl", 0, "privilege `LEVEL` that an SEV-SNP report must have been asked for at")
	f.Var(&parsed[time.Duration]{&o.CollateralAge, parseAge, "AGE", ""}, "max-collateral-age", "refuse revocation lists and collateral older than AGE: 36h, 30d")
	f.Uint32Var(&o.MinEvaluationDataNumber, "min-evaluation-number", 0, "lowest tcbEvaluationDataNumber `N` of Intel's collateral")
	f.Var(&parsed[time.Duration]{&o.MaxAge, parseAge, "AGE", ""}, "max-evidence-age", "refuse evidence older than AGE, for secrets without a max_age")
}

// stateFlags name what the server keeps and its keys.
func (s *serve) stateFlags(c *cobra.Command) {
	f, o := c.Flags(), &s.o
	f.StringVar(&s.audit, "audit", "", "write every decision to the log `FILE`")
	f.StringVar(&s.auditKey, "audit-key", "", "sign the log with the key in `FILE`, which audit keygen made")
	f.StringVar(&o.UsedDir, "used-dir", "", "keep what was used in `DIR`, which only its owner may write")
	f.Var(&parsed[time.Duration]{&o.ChallengeLife, parseLife, "TIME", "5m0s"}, "challenge-life", "how long a challenge can be answered")
	f.StringVar(&s.challengeKeys, "challenge-keys", "", "keys for challenges that replicas share: `FILE` with 64 hex digits a line")
}

// networkFlags say where the server listens and to whom.
func (s *serve) networkFlags(c *cobra.Command) {
	f, o := c.Flags(), &s.o
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8443", "`ADDRESS` to serve on, host:port")
	f.StringVar(&o.CertFile, "tls-cert", "", "certificates `FILE` of the server, PEM")
	f.StringVar(&o.KeyFile, "tls-key", "", "`FILE` with the key of the certificate, PEM")
	f.BoolVar(&o.InsecureHTTP, "insecure-http", false, "serve without TLS, on a loopback address only")
	f.StringVar(&o.ClientCAFile, "client-ca", "", "let in clients with a certificate of the authorities in `FILE` alone, PEM")
	f.StringArrayVar(&o.ClientNames, "client-name", nil, "let in clients whose certificate has this DNS `NAME` alone (may be repeated)")
	f.StringArrayVar(&o.Hosts, "host", nil, "`HOST` that requests must be for, with the port if there is one (may be repeated)")
	f.StringVar(&o.Admin, "admin", "", "`ADDRESS` for /healthz, /readyz and /metrics, such as 127.0.0.1:9443")
	f.BoolVar(&o.AdminAnywhere, "admin-anywhere", false, "let --admin be an address that others can reach")
}

// limitFlags bound what clients can take. Zeros are the defaults of package server.
func (s *serve) limitFlags(c *cobra.Command) {
	f, l := c.Flags(), &s.o.Limits
	f.IntVar(&l.Workers, "workers", 0, "requests verified at a time, `N` (default one per processor)")
	f.IntVar(&l.Queue, "queue", 0, "requests that wait, `N` (default 128)")
	f.IntVar(&l.Connections, "connections", 0, "connections open at a time, `N` (default 512)")
	f.IntVar(&l.PerClient, "per-client", 0, "connections of one client, `N` (default 128)")
	f.Float64Var(&l.Rate, "rate", 0, "requests of one client a second, `N` (default 50)")
	f.IntVar(&l.Burst, "burst", 0, "requests of one client at once, `N` (default 100)")
	f.Var(&parsed[time.Duration]{&l.Drain, parseTimeout, "TIME", "15s"}, "drain", "time for the requests under way at the end")
}

// parseLife reads how long a challenge can be answered.
func parseLife(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > challenge.MaxLife {
		return 0, hint.New(errors.New("not a time of 1s to "+challenge.MaxLife.String()), "write 90s or 5m")
	}
	return d, nil
}
