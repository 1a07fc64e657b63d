package policy

import (
	"errors"
	"fmt"
	"time"
)

// errTooSlow says that something did not end in its time.
var errTooSlow = errors.New("takes too long")

// within calls a function of somebody else's that cannot be interrupted and may
// never end, or panic. In the first case it is left behind, running: this is for
// what a person loads, not for requests.
func within[T any](limit time.Duration, call func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if r := recover(); r != nil {
				o = outcome{err: fmt.Errorf("failed: %v", r)}
			}
			done <- o
		}()
		o.value, o.err = call()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-timer.C:
		return outcome{}.value, fmt.Errorf("%w: the limit is %v", errTooSlow, limit)
	}
}
