package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/attestctl/attestctl/internal/appraise"
)

// Judge is judge, with the decision document and the words for the client.
func Judge(ctx context.Context, a appraise.Appraiser, raw []byte) (document []byte, err error) {
	j, err := judge(ctx, a, raw)
	if err != nil {
		return nil, err
	}
	return json.Marshal(j.decision)
}

// IsDenial reports whether a client sees the error as the denial.
func IsDenial(err error) bool { return asProblem(err).status == http.StatusForbidden }

// Sprint prints a server as a careless log line would.
func Sprint(s *Server) string {
	return fmt.Sprintf("%v %+v", s.issuer, s.current.snap.secrets)
}
