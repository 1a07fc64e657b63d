package main

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/server/secret"
)

const defaultRequestTimeout = time.Minute

// request is the command and its flags.
type request struct {
	sys                            *system
	attestCmd, tokenCmd, audience  string
	out, ca, clientCert, clientKey string
	insecureHTTP                   bool
	timeout                        time.Duration
	local                          requestTPM

	server *url.URL
	words  []string // of the command that makes the evidence; nil is the TPM
}

func newRequest(sys *system) *cobra.Command {
	r := &request{sys: sys, timeout: defaultRequestTimeout}
	c := leaf(&cobra.Command{
		Use:   "request URL SECRET [--attest-cmd COMMAND | --token-cmd COMMAND] [flags]",
		Short: "Get a secret from a server for evidence of this machine",
		Long: `Request gets a secret from attestctl serve. It makes a key that lives as long as the
command, takes a challenge for the secret and the key, attests for the challenge's
nonce, sends the evidence, and decrypts the answer with the key. The nonce is computed
here from the challenge and the key, and a server that names another is not answered.
The secret goes to standard output or to the file of --out, as it is, and nowhere else.

The evidence is made by the TPM of this machine, with its boot event log and, where
there is one, the report of the hardware: that takes root, or the group tss. On Google
Compute Engine the vTPM's attestation key has Google's certificate. Elsewhere the TPM
makes a key of its own (--ak own), which the server has to pin; this prints it for
ak/pins of the server's trust directory:

  attestctl tpm ak > ak.pub

With --wrap tpm it takes the key and this TPM to open the answer, which is encrypted to
the endorsement key too; the TPM opens it only where it has the attestation key of the
evidence. The server must trust the endorsement key, by the certificate in the TPM or of
--ek-cert, or because attestctl tpm ek > ek.pub went into ek/pins.

With --attest-cmd or --token-cmd a command makes the evidence. COMMAND is split at
spaces; what stands between '...' or "..." is taken as it is, spaces too, and there are
no other special characters. It is run without a shell, as a program in the PATH with
arguments. In every word of it these are replaced:

  {nonce}     the nonce as 64 hex digits; it must be there
  {audience}  the value of --audience
  {output}    a file to write to, if the evidence does not come on standard output

If the command attests with a key of this machine's TPM, --wrap tpm goes with it; --ak
and --algo then name that key.

The server's certificate is checked with the roots of the system, or with those of
--ca alone. Redirects are not followed and no proxy is used.

Exit codes: 0 the secret was written, 1 no answer or no evidence, 2 wrong usage,
4 denied by the server.`,
		Example: `  attestctl request https://db.example.com:8443 db-password --out db-password
  attestctl request https://db.example.com:8443 db-password --out db-password --wrap tpm
  attestctl request https://db.example.com:8443 db-password --out db-password \
    --attest-cmd 'gotpm attest --key AK --algo ecc --nonce {nonce} --format binarypb'
  attestctl request https://db.example.com:8443 db-password --audience https://db.example.com \
    --token-cmd 'gotpm token --custom-nonce {nonce} --audience {audience}'`,
		Args: requestArguments,
	}, r.run)
	f := c.Flags()
	f.StringVar(&r.attestCmd, "attest-cmd", "", "`COMMAND` that prints evidence for {nonce}")
	f.StringVar(&r.tokenCmd, "token-cmd", "", "`COMMAND` that prints a token for {nonce} and {audience}")
	r.local.add(c)
	f.StringVar(&r.audience, "audience", "", "`AUDIENCE` for {audience}, as the server wants it")
	f.StringVar(&r.out, "out", "", "write the secret to `FILE`, which its owner alone can read, instead of standard output")
	f.StringVar(&r.ca, "ca", "", "trust the certificates in `FILE`, PEM, for https instead of the system's")
	f.StringVar(&r.clientCert, "client-cert", "", "show the server the certificate in `FILE`, PEM")
	f.StringVar(&r.clientKey, "client-key", "", "`FILE` with the key of the certificate, PEM")
	f.BoolVar(&r.insecureHTTP, "insecure-http", false, "speak http to a server on a loopback address")
	f.Var(&parsed[time.Duration]{&r.timeout, parseTimeout, "TIME", defaultRequestTimeout.String()}, "timeout", "time for everything")
	return c
}

// requestArguments wants both, and no more.
func requestArguments(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return hint.New(usagef("%s needs a URL and the name of a secret", cmd.CommandPath()), cmd.CommandPath()+" --help shows examples")
	}
	return nil
}

func (r *request) run(args []string) error {
	if err := r.check(args[0], args[1]); err != nil {
		return err
	}
	client, err := r.client()
	if err != nil {
		return &exitError{exitTool, err}
	}
	sink, err := r.sink()
	if err != nil {
		return err
	}
	defer sink.discard()
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	got, err := r.get(ctx, client, args[1])
	if err != nil {
		return err
	}
	defer clear(got)
	return sink.write(got)
}

// check refuses flags that contradict each other or are missing.
func (r *request) check(address, name string) error {
	if err := r.checkURL(address); err != nil {
		return err
	}
	switch {
	case !secret.ValidName(name):
		return hint.New(usagef("%q is not the name of a secret", name), "a name has a to z, 0 to 9 and hyphens, 64 at the most")
	case (r.clientCert == "") != (r.clientKey == ""):
		return usagef("--client-cert and --client-key belong together, and one is missing")
	case r.ca == stdinName || r.clientCert == stdinName || r.clientKey == stdinName:
		return usagef("certificates and keys are not read from standard input (-)")
	}
	return r.checkEvidence()
}

// checkEvidence refuses what contradicts where the evidence comes from.
func (r *request) checkEvidence() error {
	if r.attestCmd != "" && r.tokenCmd != "" {
		return hint.New(usagef("--attest-cmd and --token-cmd contradict each other"), "name one of them, or none: then the TPM of this machine attests")
	}
	if err := r.local.check(r.attestCmd != "", r.tokenCmd != ""); err != nil {
		return err
	}
	switch {
	case r.tokenCmd != "":
		return r.checkCommand("--token-cmd", r.tokenCmd)
	case r.attestCmd != "":
		return r.checkCommand("--attest-cmd", r.attestCmd)
	case r.audience != "":
		return usagef("--audience is for %s in a command, and there is none", placeAudience)
	}
	return nil
}

func (r *request) checkCommand(flag, text string) (err error) {
	if r.words, err = splitWords(text); err != nil {
		return usagef("%s: %w", flag, err)
	}
	has := func(place string) bool {
		return slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(w, place) })
	}
	switch {
	case !has(placeNonce):
		return hint.New(usagef("%s has no %s", flag, placeNonce), "evidence that does not answer the challenge is refused")
	case has(placeAudience) != (r.audience != ""):
		return hint.New(usagef("%s and --audience belong together, and one is missing", placeAudience), "name what the server was given as --audience")
	}
	return nil
}

// checkURL wants the scheme and the host of a server and nothing else.
func (r *request) checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || strings.TrimSuffix(address, "/") != u.Scheme+"://"+u.Host {
		return hint.New(usagef("%q is not the address of a server", address), "write https://HOST or https://HOST:PORT")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme == "https" && r.insecureHTTP:
		return usagef("--insecure-http and an https url contradict each other")
	case u.Scheme != "https" && (u.Scheme != "http" || !r.insecureHTTP):
		return hint.New(usagef("%q is not an https url", address), "http is for a server on a loopback address, with --insecure-http")
	case u.Scheme == "http" && (err != nil || !ip.IsLoopback()):
		return hint.New(usagef("--insecure-http to %q, where others would read what is sent", u.Host), "write 127.0.0.1 or [::1], or use https")
	}
	r.server = &url.URL{Scheme: u.Scheme, Host: u.Host}
	return nil
}
