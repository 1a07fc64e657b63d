package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/appraise"
	"github.com/attestctl/attestctl/server/audit"
	"github.com/attestctl/attestctl/server/challenge"
	"github.com/attestctl/attestctl/server/seal"
	"github.com/attestctl/attestctl/server/secret"
)

// ask is what one request wants.
type ask struct {
	id     string // of the request
	route  string
	remote netip.Addr
	name   string // of the secret; "" asks for the decision alone
	any    bool   // the default secret is asked for, whatever its name
	format string // of the evidence; "" detects it

	evidence []byte
	answers  string          // the text of the challenge that the evidence answers; "" is none
	key      *seal.ClientKey // whom to encrypt to; nil is nobody
	ek       *endorsement    // whose TPM to wrap for; nil is nobody's
}

// answer is what a client gets.
type answer struct {
	contentType string
	body        []byte
	discard     func() // zeroes the body; nil needs none
}

func (a *answer) close() {
	if a != nil && a.discard != nil {
		a.discard()
	}
}

// decision is one way through release, with what is known so far.
type decision struct {
	*ask

	server *Server
	snap   *Snapshot
	record audit.Record

	secret    secret.Secret
	known     bool // there is such a secret
	policy    *decider
	challenge challenge.Challenge
	judged    judged
	tpm       *tpm.Public // the endorsement key of ask, if it is one of a genuine TPM
	tpmErr    error       // why it is not
}

// release is the one way to a secret, and to a decision without one. The order is
// the promise: nothing is marked as used before the evidence was accepted and
// allowed, the secret is ready before the audit log says that it was released, and
// that line is on disk before a byte leaves. Whatever fails on the way ends it.
func (s *Server) release(ctx context.Context, a *ask) (*answer, error) {
	snap, done := s.current.use()
	defer done()
	if a.any {
		if a.name = snap.secrets.Default(); a.name == "" {
			return nil, reject(http.StatusNotFound, "")
		}
	}
	d := s.begin(snap, a)
	out, err := d.run(ctx)
	if errors.Is(err, errShed) {
		return nil, err // nothing was decided
	}
	if logged := d.audit(ctx, err); logged != nil {
		out.close()
		return nil, fmt.Errorf("no audit line: %w", logged)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// begin fills in what is known from the start.
func (s *Server) begin(snap *Snapshot, a *ask) *decision {
	sum := sha256.Sum256(a.evidence)
	d := &decision{ask: a, server: s, snap: snap, record: audit.Record{
		DecisionID: a.id, RequestID: a.id, Time: s.o.Now(), Remote: a.remote.String(), Route: a.route,
		Secret: a.name, EvidenceSHA256: hex.EncodeToString(sum[:]),
	}}
	d.secret, d.known = snap.secrets.Secret(a.name)
	if !d.known {
		// What does not exist is judged like what does, by the server's policy.
		d.secret = secret.Secret{Name: a.name, Binding: []secret.Binding{secret.Key, secret.Nonce}}
	}
	if d.policy = snap.decider(d.secret); d.policy != nil {
		d.record.Policy, d.record.PolicyDigest = d.policy.policy, d.policy.digest
	}
	return d
}

func (d *decision) run(ctx context.Context) (*answer, error) {
	if err := d.challenged(); err != nil {
		return nil, err
	}
	if err := d.judge(ctx); err != nil {
		return nil, err
	}
	// What the secret demands is looked at after the work, so that how long a denial
	// takes does not tell which secrets there are.
	if err := d.bound(); err != nil {
		return nil, err
	}
	if err := d.fresh(); err != nil {
		return nil, err
	}
	if d.name == "" {
		return d.tell()
	}
	if !d.record.Result.Allow {
		return nil, denied(errors.New("the policy denies"))
	}
	if !d.known {
		d.record.Error = "unknown"
		return nil, denied(secret.ErrNotFound)
	}
	if err := d.unused(); err != nil {
		return nil, err
	}
	return d.take(ctx)
}

// judge finds out what the evidence proves and what the policies say of it. Only
// this much of a request is work, and waits for a worker.
func (d *decision) judge(ctx context.Context) error {
	free, err := d.server.work.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	request := map[string]any{"remote": d.remote.String()}
	if d.name != "" {
		request["secret"] = d.name
	}
	a := appraise.Appraiser{Trust: d.snap.trust, Expect: d.expect(), Format: d.format, Request: request}
	if d.policy != nil {
		a.Engine = d.policy.engine
	}
	start := d.server.o.Now()
	d.judged, err = judge(ctx, a, d.evidence)
	d.server.metrics.judge.Observe(d.server.o.Now().Sub(start).Seconds())
	d.note()
	if err != nil {
		return err
	}
	d.judgeEK()
	d.shadow(ctx)
	return nil
}

// note writes down what came out.
func (d *decision) note() {
	if res := d.judged.result; res != nil {
		d.record.Format, d.record.Verdict = res.Format, res.Verdict.String()
		for _, c := range res.Failures() {
			d.record.Failed = append(d.record.Failed, c.ID)
		}
	}
	if p := d.judged.decision; p != nil {
		d.record.Result = audit.Result{Allow: p.Allow, Reasons: reasons(p.Reasons)}
		d.record.PolicyDigest = p.Policy
	}
	if in := d.judged.input.Bytes(); in != nil {
		d.record.Input = json.RawMessage(in)
	}
}

// take reads the secret and encrypts it if there is a key.
func (d *decision) take(ctx context.Context) (*answer, error) {
	v, x, err := d.snap.secrets.Get(ctx, d.name)
	if err != nil {
		d.record.Error = "store"
		return nil, err
	}
	if d.key == nil && x.Plaintext {
		d.record.Released = true
		return &answer{contentType: x.ContentType, body: v.Bytes(), discard: v.Close}, nil
	}
	defer v.Close()
	if d.key == nil { // bound has refused it
		return nil, errNoKey
	}
	sealed, err := d.key.Seal(v.Bytes(), x.ContentType)
	if err != nil {
		d.record.Error = "seal"
		return nil, err
	}
	return d.wrapped(&answer{contentType: "application/jose", body: sealed})
}
