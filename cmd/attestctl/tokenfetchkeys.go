package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

const (
	defaultFetchTimeout = 15 * time.Second
	maxFetchTimeout     = 10 * time.Minute
)

// keyHosts names the host of the keys of issuers that do not serve them on their
// own.
var keyHosts = map[string]string{token.GoogleIssuer: "www.googleapis.com"}

// knownIssuers are offered for completion. Tenants of Microsoft Azure Attestation
// are known too.
var knownIssuers = []string{
	token.GoogleIssuer, "https://portal.trustauthority.intel.com", "https://portal.eu.trustauthority.intel.com",
}

// fetchKeys is the command and its flags.
type fetchKeys struct {
	sys                               *system
	issuer, out, ca, jwksHost, output string
	timeout                           time.Duration
	proxyFromEnv                      bool

	dial dialer // nil: the system's
}

func newFetchKeys(sys *system) *cobra.Command {
	k := &fetchKeys{sys: sys, timeout: defaultFetchTimeout}
	c := leaf(&cobra.Command{
		Use:   "fetch-keys --out DIR [flags]",
		Short: "Save the keys of an issuer of attestation tokens to a trust directory",
		Long: `Fetch-keys asks an issuer for its keys and saves them, with the time, as
token/keys/HOST-TIME.json in a trust directory: a JWKS that other programs read too.
Older files stay, because old tokens need them. If the keys are those of the newest
file, or the server says so (ETag), nothing is written. It prints which keys are new,
kept or gone. No other command opens a socket but serve and request.

The issuer is compared with its discovery document byte for byte. Its keys must be
on the host that is known for it (Google's: www.googleapis.com), on its own, or on
the one that --jwks-host names. The rest is refused and nothing is saved: anything
but https with TLS 1.2 or later, redirects, a status other than 200, compressed
answers, content that is not JSON, discovery documents over 64 KiB, key sets over
256 KiB or with a key that cannot be meant for tokens, and a key with the kid of
another one that was saved before. Certificates are checked with the roots of the
system, or with those of --ca alone. An issuer that is an IP address, or a name
without a dot, needs --ca. No proxy is used unless --proxy-from-env says so.

Exit codes: 0 saved or unchanged, 1 not fetched, 2 wrong usage.`,
		Example: `  attestctl token fetch-keys --out anchors/
  attestctl token fetch-keys --issuer https://portal.trustauthority.intel.com --out anchors/
  attestctl token fetch-keys --issuer https://tenant.weu.attest.azure.net --out anchors/ -o json`,
		Args: arguments(0, 0, "argument"),
	}, k.run)
	f := c.Flags()
	f.StringVar(&k.issuer, "issuer", token.GoogleIssuer, "issuer `URL`, byte for byte")
	f.StringVar(&k.out, "out", "", "trust directory `DIR` to save to, made if it is missing")
	f.StringVar(&k.ca, "ca", "", "trust the certificates in `FILE`, PEM, for https instead of the system's")
	f.StringVar(&k.jwksHost, "jwks-host", "", "`HOST` of the keys, of an issuer that is not known and keeps them elsewhere")
	f.Var(&parsed[time.Duration]{&k.timeout, parseTimeout, "TIME", defaultFetchTimeout.String()}, "timeout", "time for everything")
	f.BoolVar(&k.proxyFromEnv, "proxy-from-env", false, "use the proxy that HTTPS_PROXY and NO_PROXY name")
	textOrJSON(c, &k.output)
	if err := c.RegisterFlagCompletionFunc("issuer", cobra.FixedCompletions(knownIssuers, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is missing or has a completion already
	}
	return c
}

func parseTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxFetchTimeout {
		return 0, hint.New(fmt.Errorf("not a time of at most %s", maxFetchTimeout), "write 15s or 1m")
	}
	return d, nil
}

func (k *fetchKeys) run([]string) error {
	if k.out == "" {
		return hint.New(usagef("--out is missing"), "name the trust directory to save to, such as anchors/")
	}
	host, keyHost, err := k.hosts()
	if err != nil {
		return err
	}
	client, err := k.fetcher(keyHost)
	if err != nil {
		return err
	}
	saved, err := newestKeys(k.out, k.issuer)
	if err != nil {
		return fmt.Errorf("--out %s: %w", report.Quote(k.out), err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
	defer cancel()
	got, err := client.fetch(ctx, k.issuer, saved.set)
	if err != nil {
		return fmt.Errorf("fetching the keys of %s: %w", report.Quote(k.issuer), err)
	}
	if got.unchanged {
		return k.print(newKeyChanges(saved, saved))
	}
	return k.save(host, saved, got)
}

// save writes what was fetched, unless it is what there is.
func (k *fetchKeys) save(host string, saved savedKeys, got *fetchedKeys) error {
	now := k.sys.now().UTC()
	data, err := token.NewKeySet(k.issuer, got.uri, got.etag, now, got.jwks)
	if err != nil {
		return hint.New(fmt.Errorf("%s: %w", report.Quote(got.uri), err), "one key or member like this is enough to refuse all; tell the issuer")
	}
	set, err := token.ParseKeySet(data)
	if err != nil {
		return err
	}
	if _, err := saved.all.Merge(set.JWKS); err != nil {
		return hint.New(fmt.Errorf("%s and the files in %s: %w", report.Quote(got.uri), keysFolder, err),
			"a key never changes under its kid: find out why before you trust the new one, in a directory of its own")
	}
	next := savedKeys{path: keysFolder + "/" + host + now.Format("-20060102T150405Z") + ".json", set: set}
	doc := newKeyChanges(saved, next)
	if !doc.Changed {
		return k.print(newKeyChanges(saved, saved))
	}
	if err := writeKeys(k.out, next.path, data); err != nil {
		return fmt.Errorf("--out %s: %w", report.Quote(k.out), err)
	}
	return k.print(doc)
}

// fetcher makes the client that the flags ask for.
func (k *fetchKeys) fetcher(keyHost string) (*keyFetcher, error) {
	roots, err := k.roots()
	if err != nil {
		return nil, &exitError{exitTool, fmt.Errorf("--ca %s: %w", report.Quote(k.ca), err)}
	}
	client, transport := newFetchClient(roots, k.proxyFromEnv)
	if k.dial != nil {
		transport.DialContext = k.dial
	}
	return &keyFetcher{client, userAgent(), keyHost}, nil
}

// roots returns those of --ca, or nil, which are the system's.
func (k *fetchKeys) roots() (*x509.CertPool, error) {
	if k.ca == "" {
		return nil, nil //nolint:nilnil // crypto/tls takes it so
	}
	data, err := k.sys.readFile(k.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, hint.New(errors.New("no certificate in it"), "give certificates in PEM")
	}
	return roots, nil
}

// userAgent names the program and its version.
func userAgent() string {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = strings.Trim(info.Main.Version, "()")
	}
	return "attestctl/" + cmp.Or(version, "unknown")
}

// hosts returns the name of the issuer's host, and the host that its keys must
// be on with the port if there is one.
func (k *fetchKeys) hosts() (name, keyHost string, err error) {
	if _, err := token.DiscoveryURL(k.issuer); err != nil {
		return "", "", hint.New(usagef("--issuer: %w", err), "spell it as the iss of its tokens, such as "+token.GoogleIssuer)
	}
	u, err := url.Parse(k.issuer)
	if err != nil {
		return "", "", err
	}
	_, unknown := token.ProfileFor(k.issuer)
	if k.jwksHost != "" {
		if unknown == nil {
			return "", "", usagef("--jwks-host is for issuers that are not known, and where %s keeps its keys is known", report.Quote(k.issuer))
		}
		if _, err := token.DiscoveryURL("https://" + k.jwksHost); err != nil || strings.Contains(k.jwksHost, "/") {
			return "", "", hint.New(usagef("--jwks-host %s is not a host", report.Quote(k.jwksHost)), "write keys.example.com, or keys.example.com:8443")
		}
	}
	keyHost = cmp.Or(keyHosts[k.issuer], k.jwksHost, u.Host)
	for _, host := range []string{u.Host, keyHost} {
		if k.ca == "" && !isPublicName(host) {
			return "", "", hint.New(usagef("%s is not a name of the public DNS", report.Quote(host)), "--ca FILE names the roots of a server of your own")
		}
	}
	return u.Hostname(), keyHost, nil
}

// isPublicName reports whether a host is a name of more than one label that is no
// spelling of an IP address.
func isPublicName(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	top := name[strings.LastIndexByte(name, '.')+1:]
	if _, err := netip.ParseAddr(name); err == nil || top == name || top == "localhost" {
		return false
	}
	return top[0] < '0' || top[0] > '9' // 127.1 and 127.0x1 are addresses to some resolvers
}
