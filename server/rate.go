package server

import (
	"net/netip"
	"sync"
	"time"
)

// maxClients bounds the clients whose rates are kept. Those beyond it share one.
const maxClients = 1 << 16

// rates is a token bucket for each client.
type rates struct {
	now   func() time.Time
	rate  float64 // tokens a second
	burst float64

	mu      sync.Mutex
	buckets map[netip.Prefix]*bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRates(now func() time.Time, rate float64, burst int) *rates {
	return &rates{now: now, rate: rate, burst: float64(burst), buckets: map[netip.Prefix]*bucket{}}
}

// allow takes a token of the client, if it has one.
func (r *rates) allow(client netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b := r.buckets[client]
	if b == nil {
		if len(r.buckets) >= maxClients {
			r.sweep(now)
		}
		if len(r.buckets) >= maxClients {
			client = netip.Prefix{} // what all the others share
		}
		if b = r.buckets[client]; b == nil {
			b = &bucket{r.burst, now}
			r.buckets[client] = b
		}
	}
	r.refill(b, now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (r *rates) refill(b *bucket, now time.Time) {
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.tokens = min(r.burst, b.tokens+d*r.rate)
	}
	b.at = now
}

// sweep forgets the clients whose buckets are full, at most once a second.
func (r *rates) sweep(now time.Time) {
	if since := now.Sub(r.swept); since >= 0 && since < time.Second {
		return
	}
	r.swept = now
	for client, b := range r.buckets {
		if r.refill(b, now); b.tokens >= r.burst {
			delete(r.buckets, client)
		}
	}
}

// clientOf is what one client is known by: an address, or the /64 that a host of
// IPv6 has for itself. What a proxy says of others counts for nothing.
func clientOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// remoteOf is the address at the other end of a connection.
func remoteOf(address string) netip.Addr {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
