package server

import (
	"context"
	"errors"
	"net/http"
)

// errShed marks a request that was sent away because there were too many.
var errShed = errors.New("too many requests wait")

// queue bounds the requests that are verified at a time, and those that wait for
// that or, afterwards, for the disk.
type queue struct {
	tickets chan struct{} // held from admission to the answer
	workers chan struct{} // held while something is computed
}

func newQueue(workers, waiting int) *queue {
	return &queue{make(chan struct{}, workers+waiting), make(chan struct{}, workers)}
}

// admit gives a request its place, or sends it away at once.
func (q *queue) admit() (leave func(), err error) {
	select {
	case q.tickets <- struct{}{}:
		return func() { <-q.tickets }, nil
	default:
		p := busy(http.StatusServiceUnavailable, "too many requests wait; try again")
		p.err = errShed
		return nil, p
	}
}

// take waits for a worker. Who was admitted gets one, unless the client leaves.
func (q *queue) take(ctx context.Context) (free func(), err error) {
	select {
	case q.workers <- struct{}{}:
		return func() { <-q.workers }, nil
	case <-ctx.Done():
		p := busy(http.StatusServiceUnavailable, "")
		p.err = errShed
		return nil, p
	}
}

func (q *queue) waiting() float64 { return float64(len(q.tickets)) }
func (q *queue) working() float64 { return float64(len(q.workers)) }
