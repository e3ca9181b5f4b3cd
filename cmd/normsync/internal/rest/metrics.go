package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts what the server does. It has a registry of its own, because two servers
// in one process cannot register the same metrics in one registry.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	quick      prometheus.Counter // requests to /check with status 200
	quickTime  prometheus.Observer
	allowed    prometheus.Counter
	denied     prometheus.Counter
	violations map[normsync.Severity]prometheus.Counter
	shadow     prometheus.Counter
}

func newMetrics(s *service.Service, h *hub) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "normsync_http_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "normsync_http_request_seconds", Help: "Time until the response was written. Streams are not counted.",
			Buckets: []float64{0.0001, 0.001, 0.01, 0.1, 1, 10},
		}, []string{"route"}),
		violations: map[normsync.Severity]prometheus.Counter{},
	}
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "normsync_checks_total", Help: "Actions checked through REST by verdict."}, []string{"verdict"})
	violations := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "normsync_violations_total", Help: "Violations found through REST by severity; those of dry runs are shadow."}, []string{"severity"})
	m.allowed, m.denied = checks.WithLabelValues("allowed"), checks.WithLabelValues("denied")
	m.shadow = violations.WithLabelValues("shadow")
	for _, severity := range []normsync.Severity{normsync.SeverityInfo, normsync.SeverityWarn, normsync.SeverityError} {
		m.violations[severity] = violations.WithLabelValues(string(severity))
	}
	m.quick, m.quickTime = m.requests.WithLabelValues(checkRoute, "200"), m.seconds.WithLabelValues(checkRoute)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests, m.seconds, checks, violations)

	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("normsync_norms", "Norms in force.", func() float64 { return float64(s.Monitor().Constitution().Len()) })
	gauge("normsync_edition", "Edition of the constitution in force.", func() float64 { return float64(s.Monitor().Constitution().Edition()) })
	gauge("normsync_event_clients", "Clients of /events.", func() float64 { return float64(h.subscribed()) })
	gauge("normsync_healthy", "1 if the store worked when the server last tried, otherwise 0.", func() float64 {
		if h.problem() != nil {
			return 0
		}
		return 1
	})
	if s.Recorder() == nil {
		return m
	}
	recorder := func(name, help string, value func(normsync.RecorderStats) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(s.Recorder().Stats())) }))
	}
	recorder("normsync_recorder_recorded_total", "Violations that were taken to be stored.", func(s normsync.RecorderStats) uint64 { return s.Recorded })
	recorder("normsync_recorder_stored_total", "Of these, the ones that are stored.", func(s normsync.RecorderStats) uint64 { return s.Stored })
	recorder("normsync_recorder_failed_total", "Of these, the ones that could not be stored.", func(s normsync.RecorderStats) uint64 { return s.Failed })
	recorder("normsync_recorder_dropped_total", "Violations that were dropped because the store is too slow.", func(s normsync.RecorderStats) uint64 { return s.Dropped })
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// checked counts a verdict.
func (m *metrics) checked(v service.Verdict) {
	if v.Allowed {
		m.allowed.Inc()
	} else {
		m.denied.Inc()
	}
	for i := range v.Violations {
		counter := m.violations[v.Violations[i].Severity]
		if v.Violations[i].Shadow || counter == nil {
			counter = m.shadow
		}
		counter.Inc()
	}
}

const checkRoute = "POST " + checkPath

// statusWriter notes the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// measure serves a request and counts it.
func (m *metrics) measure(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request)) {
	begin := time.Now()
	sw := &statusWriter{ResponseWriter: w}
	defer func() { // also if the handler gives up by a panic
		if sw.status == 0 {
			sw.status = http.StatusOK
		}
		if r.Pattern == "" && r.URL.Path == checkPath && sw.status == http.StatusOK { // quickCheck
			m.quick.Inc()
			m.quickTime.Observe(time.Since(begin).Seconds())
			return
		}
		route := r.Pattern
		if route == "" || route == "/" { // not the path, of which there is no end
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(sw.status)).Inc()
		if !strings.HasSuffix(route, eventsPath) && !strings.HasSuffix(route, batchPath) && route != "/mcp" {
			m.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
		}
	}()
	serve(sw, r)
}
