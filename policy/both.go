package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// Both decides with two engines and denies where their decisions differ in any
// byte of the document. Otherwise it gives the decision of the first.
func Both(reference, other Engine) Engine { return both{reference, other} }

type both struct{ reference, other Engine }

func (b both) Decide(ctx context.Context, in Input) (Decision, error) {
	first, err := b.reference.Decide(ctx, in)
	if err != nil {
		return Decision{}, err
	}
	second, err := b.other.Decide(ctx, in)
	if err != nil {
		return Decision{}, err
	}
	one, err := json.Marshal(first)
	if err != nil {
		return Decision{}, err
	}
	two, err := json.Marshal(second)
	if err != nil {
		return Decision{}, err
	}
	if !bytes.Equal(one, two) {
		return deny(first.Policy, CodeDisagree, fmt.Sprintf("%s, but %s", one, two)), nil
	}
	return first, nil
}
