package server

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/policy"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/challenge"
)

// Options say what a server releases, to whom, and where it listens. The zero value
// is refused, with an error that says what is missing. There is no option that
// switches a check of evidence off.
type Options struct {
	// Secrets is the folder of secrets.yaml.
	Secrets string
	// Policy decides about every secret that names no policy of its own: as
	// policy.Open takes it. Config is a JSON or YAML file that it sees as
	// data.config; "" leaves it its own.
	Policy, Config string
	// ShadowPolicy is asked beside the policy that decides, and what it says is
	// logged. It never releases anything. "" is none.
	ShadowPolicy, ShadowConfig string
	// WASM decides by the WASM engine instead of the interpreter.
	WASM bool
	// Appraise opens POST /v1/appraise, which tells whoever has genuine evidence
	// what the policy says of it, with the reasons.
	Appraise bool

	// Trust reads whose signatures count; it is called again for every reload.
	Trust func() (*evidence.Trust, error)
	// Audience and Issuer are what a token must have been made for and by; without
	// them no token is accepted. TokenProfile is as in evidence.TokenExpect.
	Audience, Issuer, TokenProfile string
	// TokenNonce is the nonce that a token which answers no challenge must have.
	// It proves nothing of freshness; "" wants tokens made without one.
	TokenNonce string
	// RequirePCRs, VMPL, CollateralAge and MinEvaluationDataNumber are as in
	// evidence.Expect.
	RequirePCRs             []int
	VMPL                    uint32
	CollateralAge           time.Duration
	MinEvaluationDataNumber uint32
	// MaxAge is how old evidence may be for secrets that set no limit of their own:
	// the time since its challenge or, without one, since its token was issued. 0
	// is until either ends.
	MaxAge time.Duration

	// ChallengeLife is how long a challenge can be answered; 0 is 5 minutes.
	ChallengeLife time.Duration
	// ChallengeKeys are shared by replicas; none makes a key that ends with the
	// process and is changed every hour.
	ChallengeKeys []challenge.Key
	// UsedDir is a folder that only its owner may write, in which it is kept what
	// was used. It outlasts a restart, and replicas share it. "" keeps challenges in
	// memory, and takes no token that answers none, unless it may be used again.
	UsedDir string

	// Audit takes every decision before it takes effect. Its caller closes it, after
	// Run has returned.
	Audit *audit.Log
	// Log is for operators.
	Log *slog.Logger
	// Now tells the time and Random is fit for keys.
	Now    func() time.Time
	Random io.Reader

	// Listen is the address of the public listener, host:port; port 0 picks one.
	Listen string
	// CertFile and KeyFile are PEM files for TLS 1.3. InsecureHTTP is without TLS,
	// on a loopback address only.
	CertFile, KeyFile string
	InsecureHTTP      bool
	// ClientCAFile demands a client certificate of one of these authorities (PEM),
	// and ClientNames, if there are any, one of these DNS names in it.
	ClientCAFile string
	ClientNames  []string
	// Hosts are the values of Host that are answered, with the port if it is not the
	// scheme's own; none answers all, without TLS those of the loopback only.
	Hosts []string
	// Admin is the address for /healthz, /readyz and /metrics, without TLS; "" is
	// none. It must be on the loopback unless AdminAnywhere is set.
	Admin         string
	AdminAnywhere bool
	// Watch are files and folders, beside those named above, a change of which
	// reloads: what Trust reads.
	Watch []string

	Limits Limits
}

// Limits bound what clients can take. Zero fields have the defaults.
type Limits struct {
	ReadHeader, Read, Write, Idle time.Duration // of a request: 5 s, 10 s, 10 s, 30 s

	Header int   // bytes of a request's header: 32 KiB
	Body   int64 // bytes of a request's body: 1 MiB

	Workers int // requests verified at a time: one per processor
	Queue   int // requests that wait for that or for the disk: 128

	Connections int     // open at a time: 512
	PerClient   int     // of one client, an address or an IPv6 /64: 128
	Rate        float64 // requests of one client a second: 50
	Burst       int     // how many of them at once: 100
	Used        int     // used challenges kept in memory: 100000

	// Decision bounds one decision: 2 s, since a machine that is busy is no reason to
	// deny, and the memory of package policy.
	Decision policy.Limits

	Drain time.Duration // for requests under way at the end: 15 s
	Poll  time.Duration // between two looks at the files: 2 s; negative never looks
}

func (l Limits) withDefaults() Limits {
	second := func(d *time.Duration, n int) { *d = cmp.Or(*d, time.Duration(n)*time.Second) }
	second(&l.ReadHeader, 5)
	second(&l.Read, 10)
	second(&l.Write, 10)
	second(&l.Idle, 30)
	second(&l.Drain, 15)
	second(&l.Poll, 2)
	second(&l.Decision.Deadline, 2)
	l.Header = cmp.Or(l.Header, 32<<10)
	l.Body = cmp.Or(l.Body, 1<<20)
	l.Workers = cmp.Or(l.Workers, runtime.GOMAXPROCS(0))
	l.Queue = cmp.Or(l.Queue, 128)
	l.Connections = cmp.Or(l.Connections, 512)
	l.PerClient = cmp.Or(l.PerClient, 128)
	l.Rate = cmp.Or(l.Rate, 50)
	l.Burst = cmp.Or(l.Burst, 100)
	l.Used = cmp.Or(l.Used, 100_000)
	return l
}

var errNegative = errors.New("a limit is negative")

// maxBody is the largest body that a server may be told to read.
const maxBody = evidence.MaxSize

func (l Limits) check() error {
	for _, d := range []time.Duration{l.ReadHeader, l.Read, l.Write, l.Idle, l.Drain} {
		if d < 0 {
			return errNegative
		}
	}
	for _, n := range []int{l.Header, l.Workers, l.Queue, l.Connections, l.PerClient, l.Burst, l.Used} {
		if n < 0 {
			return errNegative
		}
	}
	if l.Body < 0 || l.Body > maxBody || l.Rate < 0 {
		return fmt.Errorf("want a body of 0 to %d MiB and a rate that is not negative", maxBody>>20)
	}
	return nil
}

// check says what is missing or contradicts itself.
func (o *Options) check() error {
	for _, m := range []struct {
		missing bool
		what    string
	}{
		{o.Secrets == "", "no folder of secrets"},
		{o.Policy == "", "no policy that decides"},
		{o.Trust == nil, "nothing that says whose signatures count"},
		{o.Audit == nil, "no audit log"},
		{o.Log == nil, "no log for operators"},
		{o.Now == nil, "no clock"},
		{o.Random == nil, "no source of randomness"},
		{o.Listen == "", "no address to listen on"},
	} {
		if m.missing {
			return errors.New("the server has " + m.what)
		}
	}
	for _, check := range []func() error{o.checkTokens, o.checkTLS, o.checkAddresses, o.Limits.check} {
		if err := check(); err != nil {
			return err
		}
	}
	switch {
	case o.Config != "" && o.Policy == "", o.ShadowConfig != "" && o.ShadowPolicy == "":
		return errors.New("a config belongs to a policy, and none is named")
	case o.MaxAge < 0 || o.CollateralAge < 0:
		return errNegative
	case len(o.ChallengeKeys) > 0 && o.UsedDir == "":
		return hint.New(errors.New("keys for challenges outlast a restart, and what was used would not"),
			"name the folder that replicas keep used challenges in, or leave out the keys")
	}
	return nil
}

func (o *Options) checkTokens() error {
	switch {
	case o.Issuer != "" && o.Audience == "":
		return hint.New(errors.New("tokens of an issuer are accepted, and no audience is named"),
			"name the audience that clients ask tokens for; a token for others is not for this server")
	case o.Issuer == "" && (o.Audience != "" || o.TokenNonce != ""):
		return errors.New("an audience or nonce of tokens is named, and no issuer")
	case o.TokenNonce != "" && len(o.TokenNonce) < evidence.MinTokenNonce:
		return fmt.Errorf("the nonce of tokens has %d characters, want %d or more", len(o.TokenNonce), evidence.MinTokenNonce)
	}
	return nil
}

func (o *Options) checkTLS() error {
	switch {
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("a certificate and its key belong together, and one is missing")
	case o.CertFile == "" && !o.InsecureHTTP:
		return hint.New(errors.New("no certificate for TLS"), "name a certificate and a key; plain http is for a loopback address and has to be asked for")
	case o.CertFile != "" && o.InsecureHTTP:
		return errors.New("plain http is asked for, and a certificate is named")
	case o.InsecureHTTP && !onLoopback(o.Listen):
		return hint.New(fmt.Errorf("plain http on %q, where others would read the secrets", o.Listen), "listen on 127.0.0.1 or [::1], or use TLS")
	case o.ClientCAFile != "" && o.InsecureHTTP:
		return errors.New("client certificates need TLS")
	case len(o.ClientNames) > 0 && o.ClientCAFile == "":
		return errors.New("names of clients are given, and no authority for their certificates")
	}
	return nil
}

func (o *Options) checkAddresses() error {
	if o.Admin != "" && !o.AdminAnywhere && !onLoopback(o.Admin) {
		return hint.New(fmt.Errorf("the admin address %q is not on the loopback", o.Admin), "listen on 127.0.0.1 or [::1]; metrics are not for everybody")
	}
	for _, h := range o.Hosts {
		if h == "" || strings.ContainsAny(h, "/ ") {
			return fmt.Errorf("%q is not a host to answer for", h)
		}
	}
	return nil
}

// onLoopback reports whether an address can be reached from this machine only. A
// name could lead anywhere, localhost too.
func onLoopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().IsLoopback()
}

// parseCAs reads the authorities of client certificates.
func parseCAs(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return pool, nil
}
