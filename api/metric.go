package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"remuda"
	"remuda/flow"
)

// metrics counts what the server does, for Prometheus.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	running  prometheus.Gauge
}

func newMetrics(f *flow.Flow) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "remuda_http_requests_total", Help: "Requests answered, by method, route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "remuda_http_request_seconds", Help: "Time from a request's header to the end of its answer, by route.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 15, 60, 300},
		}, []string{"route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "remuda_http_requests_running", Help: "Requests being answered."}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.seconds, m.running, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &contents{flow: f})
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return m
}

// begin counts a request and returns what is told of its end.
func (m *metrics) begin() func(r *http.Request, status int, took time.Duration) {
	m.running.Inc()
	return func(r *http.Request, status int, took time.Duration) {
		m.running.Dec()
		m.requests.WithLabelValues(method(r), r.Pattern, strconv.Itoa(status)).Inc()
		m.seconds.WithLabelValues(r.Pattern).Observe(took.Seconds())
	}
}

// contents counts rows when it is asked to.
type contents struct{ flow *flow.Flow }

// Describe says nothing: what there is to count depends on the rows.
func (c *contents) Describe(chan<- *prometheus.Desc) {}

// Collect counts datasets, items, annotations and unfinished jobs.
func (c *contents) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rows := prometheus.NewDesc("remuda_rows", "What the database holds.", []string{"kind"}, nil)
	jobs := prometheus.NewDesc("remuda_jobs", "Jobs that have not ended, by type and status.", []string{"type", "status"}, nil)
	found, err := c.flow.Contents(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(rows, err)
		return
	}
	for kind, n := range found.Rows {
		to <- prometheus.MustNewConstMetric(rows, prometheus.GaugeValue, float64(n), kind)
	}
	for _, j := range found.Jobs {
		to <- prometheus.MustNewConstMetric(jobs, prometheus.GaugeValue, float64(j.Count), j.Type, string(j.Status))
	}
}

// serveMetrics answers Prometheus: on the server's own machine, and anywhere
// with an admin's key.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if keyOf(r) != "" || !local(r) {
		caller, err := s.authenticate(r)
		if err == nil {
			err = caller.Need(remuda.Admin)
		}
		if err != nil {
			answer(w, r, err)
			return
		}
	}
	s.metrics.handler.ServeHTTP(w, r)
}
