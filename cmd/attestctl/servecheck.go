package main

import (
	"net/netip"
	"slices"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

// check refuses flags that contradict each other or are missing. What package server
// refuses besides is no question of flags.
func (s *serve) check() error {
	for _, m := range []struct{ value, flag, advice string }{
		{s.o.Policy, "--policy", "name what decides: a folder, a bundle or one of builtin:codelab, builtin:gce-cvm"},
		{s.o.Secrets, "--secrets", "name the folder of secrets.yaml"},
		{s.audit, "--audit", "name the log of decisions; nothing is released without it"},
		{s.auditKey, "--audit-key", "attestctl audit keygen FILE makes a key that signs the log"},
		{s.o.Listen, "--listen", "name an address such as 127.0.0.1:8443"},
	} {
		if m.value == "" {
			return hint.New(usagef("%s is missing", m.flag), m.advice)
		}
	}
	for _, check := range []func() error{s.checkTLS, s.checkClients, s.checkTokens, s.checkFiles} {
		if err := check(); err != nil {
			return err
		}
	}
	if s.o.VMPL > maxVMPL {
		return usagef("--vmpl %d: there are levels 0 to %d", s.o.VMPL, maxVMPL)
	}
	if s.o.ShadowConfig != "" && s.o.ShadowPolicy == "" {
		return hint.New(usagef("--shadow-config belongs to a policy, and none is named"), "add --shadow-policy")
	}
	if s.challengeKeys != "" && s.o.UsedDir == "" {
		return hint.New(usagef("--challenge-keys outlast a restart, and what was used would not"), "add --used-dir")
	}
	return nil
}

func (s *serve) checkTLS() error {
	o := &s.o
	switch {
	case o.InsecureHTTP && (o.CertFile != "" || o.KeyFile != ""):
		return usagef("--insecure-http and --tls-cert contradict each other")
	case o.InsecureHTTP && o.ClientCAFile != "":
		return usagef("--client-ca needs TLS, and --insecure-http is without")
	case o.InsecureHTTP && !loopback(o.Listen):
		return hint.New(usagef("--insecure-http on %q, where others would read the secrets", o.Listen), "--listen 127.0.0.1:8443, or use TLS")
	case !o.InsecureHTTP && (o.CertFile == "" || o.KeyFile == ""):
		return hint.New(usagef("--tls-cert or --tls-key is missing"), "name both; --insecure-http serves without TLS on a loopback address")
	}
	return nil
}

func (s *serve) checkClients() error {
	o := &s.o
	switch {
	case len(o.ClientNames) > 0 && o.ClientCAFile == "":
		return hint.New(usagef("--client-name is a name in a certificate, and no authority is named"), "add --client-ca")
	case o.AdminAnywhere && o.Admin == "":
		return hint.New(usagef("--admin-anywhere belongs to --admin"), "add --admin")
	case o.Admin != "" && !o.AdminAnywhere && !loopback(o.Admin):
		return hint.New(usagef("--admin %q is not on the loopback", o.Admin), "metrics are not for everybody; --admin-anywhere allows it")
	}
	return nil
}

// checkTokens says whose tokens count: Google's, unless another issuer is named, and
// nobody's without an audience.
func (s *serve) checkTokens() error {
	o := &s.o
	if o.Audience == "" {
		if o.Issuer != "" || o.TokenNonce != "" || o.TokenProfile != "" {
			return hint.New(usagef("tokens are accepted, and --audience is missing"), "name the audience that clients ask tokens for")
		}
		return nil
	}
	if o.Issuer == "" {
		o.Issuer = evidence.GoogleIssuer
	}
	return nil
}

// checkFiles refuses standard input, which cannot be read again at a reload.
func (s *serve) checkFiles() error {
	o := &s.o
	names := append(s.trust.names(), o.Policy, o.Config, o.ShadowPolicy, o.ShadowConfig, o.CertFile, o.KeyFile, o.ClientCAFile, s.audit, s.auditKey, s.challengeKeys)
	if slices.Contains(names, stdinName) {
		return hint.New(usagef("a server reads its files again, and standard input (-) can be read once"), "name files")
	}
	return nil
}

// loopback reports whether an address is one of this machine alone. A name could
// lead anywhere.
func loopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().IsLoopback()
}
