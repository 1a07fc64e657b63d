package secret

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// checkHead judges an answer before its body is read. Of its header only what is
// known beforehand gets into an error.
func checkHead(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	for _, e := range resp.Header.Values("Content-Encoding") {
		if !strings.EqualFold(e, "identity") {
			return errors.New("answer has a content encoding, and none was asked for")
		}
	}
	types := resp.Header.Values("Content-Type")
	if len(types) == 1 {
		if media, _, err := mime.ParseMediaType(types[0]); err == nil && media == "application/json" {
			return nil
		}
	}
	return hint.New(errors.New("answer is not of the content type application/json"), "this is not vault; look at the address")
}

// statusError explains a status that is no success.
//
// Source: the HTTP API of Vault, "HTTP status codes".
func statusError(status int) error {
	err := fmt.Errorf("status %d %s, want 200", status, strings.ToLower(http.StatusText(status)))
	switch {
	case status == http.StatusNotFound:
		return hint.New(fmt.Errorf("%w: %w", ErrNotFound, err), "look at mount and path; the engine must be kv of version 2, and the latest version not deleted")
	case status == http.StatusForbidden:
		return hint.New(err, "the token is over, or its policy lacks read on MOUNT/data/PATH")
	case status >= 300 && status < 400:
		return hint.New(err, "redirects are not followed; name the active node")
	case status == http.StatusServiceUnavailable:
		return hint.New(err, "vault is sealed or in maintenance")
	default:
		return hint.New(err, "look at the address; if it is right, try again later")
	}
}

var errAnswer = hint.New(errors.New("answer is not that of a kv engine of version 2"), "look at mount and address")

// parseAnswer takes one field out of the body of an answer. It says nothing of
// what else is in there.
func parseAnswer(body []byte, field string) (*Value, error) {
	data, err := latestVersion(body)
	if err != nil {
		return nil, err
	}
	value, ok := data.Get(field)
	switch {
	case !ok:
		return nil, hint.New(fmt.Errorf("%w: has no field %q", ErrNotFound, field), "path: PATH#FIELD names another field")
	case value.Kind != strictjson.Text:
		return nil, fmt.Errorf("field %q is %s, want a string", field, value.Kind)
	case value.Text == "":
		return nil, errEmpty
	case len(value.Text) > MaxSize:
		return nil, fmt.Errorf("field %q is larger than %d KiB", field, MaxSize>>10)
	}
	return NewValue([]byte(value.Text)), nil
}

// latestVersion returns the fields of a secret: data.data of the answer. Version 1
// of the engine, which has them in data, is told by the lack of data.metadata.
func latestVersion(body []byte) (strictjson.Node, error) {
	form := strictjson.Form{Depth: 16, Values: 8192, Members: 1024, CaseCounts: func(string) bool { return true }}
	answer, err := form.Parse(body)
	if err != nil {
		return strictjson.Node{}, errAnswer
	}
	outer, _ := answer.Get("data")
	metadata, _ := outer.Get("metadata")
	data, ok := outer.Get("data")
	switch {
	case !ok || metadata.Kind != strictjson.Object:
		return strictjson.Node{}, errAnswer
	case data.Kind == strictjson.Null:
		return strictjson.Node{}, fmt.Errorf("%w: its latest version is deleted", ErrNotFound)
	case data.Kind != strictjson.Object:
		return strictjson.Node{}, errAnswer
	}
	return data, nil
}
