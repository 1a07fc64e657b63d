package token

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// form is what a header, payload or key set may be. The largest genuine one has
// about 200 values, 40 members in an object and nine levels.
var form = strictjson.Form{Depth: 16, Values: 1 << 14, Members: 256, CaseCounts: isEnvironment}

type node = strictjson.Node

// isEnvironment reports whether the object of this name maps the names of
// environment variables, which are not ours: http_proxy stands beside
// HTTP_PROXY in many containers.
func isEnvironment(name string) bool { return name == "env" || name == "env_override" }

// parseObject decodes a JSON object that is all of in.
func parseObject(in []byte) (node, error) {
	if begin := bytes.TrimLeft(in, " \t\r\n"); utf8.Valid(in) && !bytes.HasPrefix(begin, []byte("{")) {
		return node{}, errors.New("not a json object")
	}
	return form.Parse(in)
}
