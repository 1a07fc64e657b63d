package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence"
)

// audit writes the decision down and returns when that is on disk. It goes on when
// the client has left: what was decided stays decided.
func (d *decision) audit(ctx context.Context, err error) error {
	if err != nil {
		d.record.Released = false
		if p := asProblem(err); p.title != denied(nil).title && d.record.Error == "" {
			d.record.Error = "internal"
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.server.o.Limits.Write)
	defer cancel()
	if err := d.server.o.Audit.Append(ctx, d.record); err != nil {
		return err
	}
	d.server.metrics.decided(d.record.Outcome(), d.failedChecks())
	attrs := []any{"request", d.id, "route", d.route, "remote", d.record.Remote, "outcome", d.record.Outcome(), "checks", d.record.Failed}
	d.server.o.Log.InfoContext(ctx, "decision", attrs...)
	return nil
}

// failedChecks are the IDs without their banks, and only those that are in a table:
// they become labels of metrics.
func (d *decision) failedChecks() []string {
	var ids []string
	for _, id := range d.record.Failed {
		base, _, _ := strings.Cut(id, "[")
		if !slices.Contains(ids, base) && knownCheck(base) {
			ids = append(ids, base)
		}
	}
	return ids
}

func knownCheck(id string) bool {
	named := func(c evidence.CheckInfo) bool { return c.ID == id }
	return slices.ContainsFunc(Checks, named) || slices.ContainsFunc(evidence.Checks, named)
}

// tell answers with the decision document.
func (d *decision) tell() (*answer, error) {
	if err := d.unused(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(d.judged.decision)
	if err != nil {
		return nil, err
	}
	return &answer{contentType: "application/json", body: append(body, '\n')}, nil
}

// tokenID names a token by what was signed: the header and the claims in their one
// spelling, whatever came behind them. A signature can be made again over the same.
func tokenID(raw []byte) [32]byte {
	signed := raw[:max(0, bytes.LastIndexByte(raw, '.'))]
	return sha256.Sum256(append([]byte("attestctl token id v1\x00"), signed...))
}
