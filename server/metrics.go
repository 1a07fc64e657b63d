package server

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are those of one server. No label comes from a client: routes, outcomes and
// checks are of tables, and the digest of the policy is the operator's.
type metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	judge    prometheus.Histogram

	decisions *prometheus.CounterVec
	checks    *prometheus.CounterVec
	shadow    *prometheus.CounterVec
	shed      *prometheus.CounterVec
	panics    prometheus.Counter
	reloads   *prometheus.CounterVec
	reloadOK  prometheus.Gauge
	policy    *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "attestctl", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	// From 0.1 ms, which a token from a warm cache takes, to 10 s, the limit of a request.
	buckets := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	m.requests = counter("requests_total", "Requests by route and status.", "route", "code")
	m.decisions = counter("decisions_total", "Decisions by outcome.", "outcome")
	m.checks = counter("failed_checks_total", "Checks that failed, by their ID.", "check")
	m.shadow = counter("shadow_decisions_total", "Decisions of the shadow policy, by whether it agrees.", "agrees")
	m.shed = counter("shed_total", "Requests and connections sent away, by the limit that was reached.", "limit")
	m.reloads = counter("reloads_total", "Reloads by result.", "result")
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "attestctl", Name: "request_seconds", Help: "Time from the end of the header to the answer, by route.", Buckets: buckets,
	}, []string{"route"})
	m.judge = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "attestctl", Name: "judge_seconds", Help: "Time to verify evidence and to ask the policy.", Buckets: buckets,
	})
	m.panics = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "attestctl", Name: "panics_total", Help: "Requests that ended in a panic."})
	m.reloadOK = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "attestctl", Name: "reload_ok", Help: "1 if the last reload was taken."})
	m.policy = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "attestctl", Name: "policy_info", Help: "The policies in force by role and digest.",
	}, []string{"role", "digest"})
	m.registry.MustRegister(m.seconds, m.judge, m.panics, m.reloadOK, m.policy,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauge shows a number that somebody else keeps.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "attestctl", Name: name, Help: help}, value))
}

func (m *metrics) served(route string, status int, seconds float64) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(seconds)
}

func (m *metrics) decided(outcome string, checks []string) {
	m.decisions.WithLabelValues(outcome).Inc()
	for _, id := range checks {
		m.checks.WithLabelValues(id).Inc()
	}
}

func (m *metrics) shadowed(agrees bool) { m.shadow.WithLabelValues(strconv.FormatBool(agrees)).Inc() }

// inForce shows the policies of a Snapshot.
func (m *metrics) inForce(s *Snapshot) {
	m.policy.Reset()
	for _, d := range s.policies {
		role := "secret"
		switch d {
		case s.def:
			role = "default"
		case s.shadow:
			role = "shadow"
		}
		m.policy.WithLabelValues(role, d.digest).Set(1)
	}
}

func (m *metrics) reloaded(err error) {
	result, ok := "taken", 1.0
	if err != nil {
		result, ok = "refused", 0
	}
	m.reloads.WithLabelValues(result).Inc()
	m.reloadOK.Set(ok)
}
