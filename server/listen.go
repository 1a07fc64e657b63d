package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// listener bounds the connections that are open, in all and of one client.
type listener struct {
	net.Listener

	limit, perClient int
	shed             func()

	mu      sync.Mutex
	total   int
	clients map[netip.Prefix]int
}

// listen opens the listeners, so that their addresses are known before Run.
func (s *Server) listen() error {
	l := s.o.Limits
	shed := func() { s.metrics.shed.WithLabelValues("connections").Inc() }
	var err error
	if s.public, err = newListener(s.o.Listen, l.Connections, l.PerClient, shed); err != nil {
		return err
	}
	if s.o.Admin != "" {
		const most = 64
		s.admin, err = newListener(s.o.Admin, most, most, func() {})
	}
	return err
}

func newListener(address string, limit, perClient int, shed func()) (*listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return &listener{Listener: l, limit: limit, perClient: perClient, shed: shed, clients: map[netip.Prefix]int{}}, nil
}

// Addr returns the address of the public listener.
func (s *Server) Addr() net.Addr { return s.public.Addr() }

// AdminAddr returns the address of the admin listener, nil if there is none.
func (s *Server) AdminAddr() net.Addr {
	if s.admin == nil {
		return nil
	}
	return s.admin.Addr()
}

// secured is the public listener with TLS, where there is any, and the gate below
// HTTP.
func (s *Server) secured() net.Listener {
	if s.tls == nil {
		return wireListener{s.public}
	}
	return wireListener{tls.NewListener(s.public, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.tls.config})}
}

// Accept implements net.Listener. Connections beyond the limits are closed at once:
// waiting for a free place would let one client keep all others out.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(remoteOf(c.RemoteAddr().String()))
		if l.enter(client) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		l.shed()
		c.Close() //nolint:errcheck,gosec // it was not used
	}
}

func (l *listener) enter(client netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.limit || l.clients[client] >= l.perClient {
		return false
	}
	l.total++
	l.clients[client]++
	return true
}

func (l *listener) leave(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

func (l *listener) open() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(l.total)
}

// conn gives its place up when it is closed.
type conn struct {
	net.Conn

	leave func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
