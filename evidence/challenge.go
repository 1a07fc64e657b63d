package evidence

import (
	"errors"
	"fmt"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/internal/hint"
)

// Challenge is a challenge of the Confidential Computing API, as the service
// answered it: nobody signed it.
type Challenge struct {
	Name  string // projects/P/locations/L/challenges/ID
	Nonce []byte // the qualifying data of the quotes that answer it
	// CreateTime and ExpireTime are zero where the challenge does not say.
	CreateTime, ExpireTime time.Time
	Used                   bool
}

// maxChallenge is the largest challenge in bytes. Real ones have 300.
const maxChallenge = 64 << 10

var challengeForm = strictjson.Form{Depth: 8, Values: 256, Members: 64}

// ParseChallenge decodes a challenge in JSON. Members that the API does not have
// are not used.
func ParseChallenge(data []byte) (Challenge, error) {
	if len(data) > maxChallenge {
		return Challenge{}, hint.New(fmt.Errorf("the challenge has more than %d KiB", maxChallenge>>10), "a challenge has 300 bytes: check that this is the right file")
	}
	n, err := challengeForm.Parse(data)
	if err != nil {
		return Challenge{}, err
	}
	var c Challenge
	unknown := 0
	err = members{
		"name":       intoText(&c.Name),
		"tpmNonce":   intoBytes(&c.Nonce),
		"createTime": intoTime(&c.CreateTime),
		"expireTime": intoTime(&c.ExpireTime),
		"used":       intoBool(&c.Used),
	}.decode(n, &unknown)
	switch {
	case err != nil:
		return Challenge{}, err
	case c.Name == "":
		return Challenge{}, errors.New("the challenge has no name")
	case len(c.Nonce) == 0:
		return Challenge{}, hint.New(errors.New("the challenge has no tpmNonce"), "save the answer to the POST to .../challenges as it came")
	}
	return c, nil
}
