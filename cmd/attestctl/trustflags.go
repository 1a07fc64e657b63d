package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// trustFlags say whose signatures count.
type trustFlags struct {
	dir, akPub, collateral string
	crls, snpCerts         []string

	jwks, tokenKey string
	tokenCRLs      []string
}

func (t *trustFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.dir, "trust", "", "trust the anchors in `DIR` instead of the embedded ones")
	f.StringVar(&t.akPub, "ak-pub", "", "trust the attestation key in `FILE` and no other: TPM2B_PUBLIC, PEM or DER")
	f.StringArrayVar(&t.crls, "crl", nil, "AMD revocation list `FILE`, DER or PEM (may be repeated)")
	f.StringArrayVar(&t.snpCerts, "snp-cert", nil, "VCEK or VLEK certificate `FILE`, for reports that come without one (may be repeated)")
	f.StringVar(&t.collateral, "collateral", "", "judge TDX quotes by Intel's collateral in `DIR`")
	f.StringVar(&t.jwks, "jwks", "", "trust the key set in `FILE` for tokens of the issuer, and no other: a JWKS")
	f.StringVar(&t.tokenKey, "token-key", "", "trust the one JWK in `FILE` for tokens of profile ear")
	f.StringArrayVar(&t.tokenCRLs, "token-crl", nil, "revocation list `FILE` for the certificates of Google's tokens (may be repeated)")
}

// names lists the files that are named. None names the embedded anchors alone.
func (t *trustFlags) names() []string {
	var names []string
	for _, name := range slices.Concat([]string{t.dir, t.akPub, t.collateral, t.jwks, t.tokenKey}, t.crls, t.snpCerts, t.tokenCRLs) {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// load reads what is trusted. The issuer is the one that a key set without one
// is for.
func (t *trustFlags) load(sys *system, issuer string) (*evidence.Trust, error) {
	trust, err := t.anchors()
	if err != nil {
		return nil, err
	}
	for _, one := range []struct {
		flag  string
		files []string
		with  func(*evidence.Trust, []byte) (*evidence.Trust, error)
	}{
		{"--ak-pub", optional(t.akPub), (*evidence.Trust).WithPinnedAK},
		{"--crl", t.crls, (*evidence.Trust).WithCRL},
		{"--snp-cert", t.snpCerts, (*evidence.Trust).WithKey},
		{"--jwks", optional(t.jwks), func(trust *evidence.Trust, data []byte) (*evidence.Trust, error) { return trust.WithJWKS(issuer, data) }},
		{"--token-key", optional(t.tokenKey), (*evidence.Trust).WithTokenKey},
		{"--token-crl", t.tokenCRLs, (*evidence.Trust).WithTokenCRL},
	} {
		for _, name := range one.files {
			if trust, err = with(sys, trust, name, one.with); err != nil {
				return nil, &exitError{exitTool, fmt.Errorf("%s %s: %w", one.flag, report.Quote(name), err)}
			}
		}
	}
	if t.collateral == "" {
		return trust, nil
	}
	if trust, err = trust.WithCollateral(os.DirFS(t.collateral)); err != nil {
		return nil, fmt.Errorf("--collateral %s: %w", report.Quote(t.collateral), err)
	}
	return trust, nil
}

func optional(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// with adds a file. An error never gives exit code 3: such a file is no evidence.
func with(sys *system, t *evidence.Trust, name string, add func(*evidence.Trust, []byte) (*evidence.Trust, error)) (*evidence.Trust, error) {
	data, err := sys.readFile(name)
	if err != nil {
		return nil, err
	}
	return add(t, data)
}

// anchors loads the anchors alone.
func (t *trustFlags) anchors() (*evidence.Trust, error) {
	switch {
	case t.akPub != "" && t.dir != "":
		return nil, hint.New(usagef("--ak-pub and --trust contradict each other: both say which attestation keys to trust"),
			"to trust both, put the key into ak/pins of the trust directory")
	case t.dir != "":
		return loadTrust(t.dir)
	default:
		return evidence.EmbeddedTrust()
	}
}

func loadTrust(dir string) (*evidence.Trust, error) {
	t, err := evidence.LoadTrust(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("--trust %s: %w", report.Quote(dir), err)
	}
	return t, nil
}
