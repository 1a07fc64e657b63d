package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// logChallenge is verifier.Challenge of go-tpm-tools, which has no names for
// JSON.
type logChallenge struct {
	Name      string
	Nonce     []byte
	Val       []byte
	Iat       []byte
	Signature []byte
	ConnID    string
}

// payloads are those of the four entries, in the order in which gotpm writes
// them. It gives Go values to the library, which takes encoding/json's names.
func (r LogRun) payloads(e, token *Evidence) ([]map[string]any, error) {
	message, ok := proto.Clone(e.Attestation).(*attest.Attestation)
	if !ok {
		return nil, errors.New("the evidence has no message")
	}
	message.InstanceInfo = nil // only `gotpm attest` asks the metadata server for it
	var claims map[string]any
	if payload := payloadOf(token.Raw); payload != nil {
		if err := json.Unmarshal(payload, &claims); err != nil {
			return nil, fmt.Errorf("decoding the claims: %w", err)
		}
	}
	var out []map[string]any
	for _, value := range []any{
		logChallenge{Name: challengeName(r.Machine.Instance, r.ID), Nonce: e.Nonce},
		message,
		map[string]string{"token": string(token.Raw)},
		claims,
	} {
		p, err := logPayload(value)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// logPayload does with a value what cloud.google.com/go/logging does: JSON, and a
// google.protobuf.Struct, in which every number is a float64.
func logPayload(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a payload: %w", err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("decoding a payload: %w", err)
	}
	s, err := structpb.NewStruct(m)
	if err != nil {
		return nil, fmt.Errorf("encoding a payload: %w", err)
	}
	return s.AsMap(), nil
}

// floats writes every number with a point or an exponent, as Python does.
func floats(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			out[name] = floats(value)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = floats(out[i])
		}
		return out
	case float64:
		if math.Abs(v) >= 1e16 {
			return json.Number(strconv.FormatFloat(v, 'e', -1, 64))
		}
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return json.Number(s)
	}
	return v
}

// labels are those of a gce_instance.
func (i Instance) labels() map[string]string {
	i = i.orDefault()
	return map[string]string{"instance_id": strconv.FormatInt(i.ID, 10), "project_id": i.ProjectID, "zone": i.Zone}
}
