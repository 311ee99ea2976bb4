package interceptor

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// unknown is the label of what is not registered: a caller's own words never are one.
const unknown = "unknown"

// Metrics counts and times the calls. Its labels are bounded.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	expired  *prometheus.CounterVec
	streams  prometheus.Counter
	lives    *prometheus.HistogramVec
}

// NewMetrics registers the metrics of the calls.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_requests_total",
			Help: "Calls that have ended, by what was called, over which protocol, and with which code.",
		}, []string{"service", "method", "protocol", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "grpc_request_duration_seconds",
			Help:    "How long calls took from their start to their end; for a stream, its whole life.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600},
		}, []string{"service", "method", "protocol"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "grpc_calls_in_flight",
			Help: "Calls that have begun and not ended, refused ones too, by their kind.",
		}, []string{"kind"}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vitals_deadlines_expired_total",
			Help: "Calls ended by a deadline: read, a message that did not arrive in its time; call, the caller's own or a query's; age, that of a stream; send, a caller that did not read.",
		}, []string{"deadline"}),
		streams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grpc_streams_opened_total",
			Help: "Streaming calls that have begun, refused ones too.",
		}),
		lives: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "grpc_stream_lifetime_seconds",
			Help:    "How long streaming calls lived, by how they ended: done, caller (it left), slow (it did not read), a deadline, refused, unavailable (the server stops), or error.",
			Buckets: []float64{.1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
		}, []string{"end"}),
	}
	reg.MustRegister(m.requests, m.duration, m.inFlight, m.expired, m.streams, m.lives)
	for _, deadline := range []string{"read", "call", "age", "send"} {
		m.expired.WithLabelValues(deadline) // so that it is there at 0
	}
	return m
}

// Intercept is the interceptor. A procedure that is not registered counts as
// service and method "unknown".
func (m *Metrics) Intercept(next connect.ServerFunc) connect.ServerFunc {
	unary, streams := m.inFlight.WithLabelValues("unary"), m.inFlight.WithLabelValues("stream")
	var known knownSeries // of one procedure: connect makes an interceptor for each
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		start := time.Now()
		flight := unary
		if spec.StreamType != connect.StreamTypeUnary {
			flight = streams
			m.streams.Inc()
		}
		flight.Inc()
		defer flight.Dec()
		err := next(ctx, spec, stream)
		deadline := expired(ctx, err)
		if deadline != "" {
			m.expired.WithLabelValues(deadline).Inc()
		}
		if spec.StreamType != connect.StreamTypeUnary {
			m.lives.WithLabelValues(endOf(err, deadline)).Observe(time.Since(start).Seconds())
		}
		service, method := unknown, unknown
		if spec.Schema != nil {
			service, method, _ = strings.Cut(strings.TrimPrefix(spec.Procedure, "/"), "/")
		}
		protocol := unknown
		if info, ok := connect.CallInfoForServerContext(ctx); ok && info.Protocol != "" {
			protocol = info.Protocol
		}
		of := known.get(m, service, method, protocol, codeName(err))
		of.requests.Inc()
		of.duration.Observe(time.Since(start).Seconds())
		return err
	}
}

// series are those that a call counts in.
type series struct {
	service, method, protocol, code string

	requests prometheus.Counter
	duration prometheus.Observer
}

// knownSeries remembers the series that was looked up last, which the next call of
// the same procedure nearly always has too.
type knownSeries struct{ last atomic.Pointer[series] }

func (k *knownSeries) get(m *Metrics, service, method, protocol, code string) *series {
	s := k.last.Load()
	if s != nil && s.code == code && s.protocol == protocol && s.method == method && s.service == service {
		return s
	}
	s = &series{
		service: service, method: method, protocol: protocol, code: code,
		requests: m.requests.WithLabelValues(service, method, protocol, code),
		duration: m.duration.WithLabelValues(service, method, protocol),
	}
	k.last.Store(s)
	return s
}

// Unknown counts a call of a procedure that there is not, over one of the server's
// protocols.
func (m *Metrics) Unknown(protocol string) {
	m.requests.WithLabelValues(unknown, unknown, protocol, connect.CodeUnimplemented.String()).Inc()
}

// expired is which deadline ended a call; empty for none.
func expired(ctx context.Context, err error) string {
	if err == nil {
		return ""
	}
	if r, ok := ReaderFrom(ctx).(stalled); ok && r.Stalled() {
		return "send"
	}
	if _, slow := errors.AsType[*SlowRequestError](err); slow {
		return "read"
	}
	switch {
	case errors.Is(err, ErrStreamAge):
		return "age"
	case codeOf(err) == connect.CodeDeadlineExceeded:
		return "call"
	}
	return ""
}

// stalled is a [Reader] that knows whether the response was cut because the caller
// did not read it.
type stalled interface{ Stalled() bool }

// endOf is how a stream ended.
func endOf(err error, deadline string) string {
	switch {
	case err == nil:
		return "done"
	case deadline == "send":
		return "slow"
	case deadline != "":
		return "deadline"
	}
	switch codeOf(err) {
	case connect.CodeCanceled:
		return "caller"
	case connect.CodeResourceExhausted, connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return "refused"
	case connect.CodeUnavailable:
		return "unavailable"
	default:
		return "error"
	}
}
