package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestQueue(t *testing.T) {
	q := newQueue(1, 1)
	leave, err := q.admit()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.admit(); err != nil {
		t.Fatal(err)
	}
	_, err = q.admit()
	if p := asProblem(err); p.status != http.StatusServiceUnavailable || !errors.Is(err, errShed) {
		t.Errorf("the third of two: %v", err)
	}
	leave()
	if _, err := q.admit(); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	free, err := q.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.take(gone); !errors.Is(err, errShed) {
		t.Errorf("a client that has left: %v", err)
	}
	free()
	if _, err := q.take(t.Context()); err != nil {
		t.Errorf("a free worker: %v", err)
	}
}

func TestRates(t *testing.T) {
	now := time.Unix(1, 0)
	r := newRates(func() time.Time { return now }, 2, 1)
	a, b := clientOf(netip.MustParseAddr("192.0.2.1")), clientOf(netip.MustParseAddr("2001:db8::1"))
	if !r.allow(a) || r.allow(a) || !r.allow(b) {
		t.Error("want one each")
	}
	if c := clientOf(netip.MustParseAddr("2001:db8::ffff:ffff")); r.allow(c) {
		t.Error("the rest of a /64 is another client")
	}
	if c := clientOf(netip.MustParseAddr("::ffff:192.0.2.1")); c != a || r.allow(c) {
		t.Errorf("an IPv4 address in IPv6 is %v", c)
	}
	if now = now.Add(500 * time.Millisecond); !r.allow(a) || r.allow(a) {
		t.Error("want one more after half a second")
	}
	now = now.Add(-time.Hour)
	if r.allow(a) {
		t.Error("a clock that goes back gives tokens")
	}
}

func TestRatesAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	r := newRates(func() time.Time { return now }, 1, 1)
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxClients + 1000 {
		r.allow(clientOf(addr))
		addr = addr.Next()
	}
	if n := len(r.buckets); n > maxClients+1 {
		t.Errorf("%d clients are kept", n)
	}
	if r.allow(clientOf(addr)) {
		t.Error("those beyond the limit do not share")
	}
	now = now.Add(2 * time.Second)
	if !r.allow(clientOf(addr)) || len(r.buckets) > 2 {
		t.Errorf("after a while %d clients are kept", len(r.buckets))
	}
}
