// Package doctor finds out from the caller's side what gets through to a Vitals
// server and what does not: every protocol over every transport, in each kind of
// RPC, with answers that are known beforehand. What fails is explained in words,
// for the cause is mostly a proxy between that can be told otherwise. It goes the
// straight way, past the proxies that the environment may name.
package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults of [Options].
const (
	DefaultTimeout = 10 * time.Second
	DefaultHold    = 10 * time.Second
)

// Options says what to examine. Only Target is needed.
type Options struct {
	// Target is the server's URL: http or https, and a path where it is mounted
	// below one; or a unix socket, such as unix:/run/vitals.sock.
	Target string
	// TLS is how an https server is trusted, and the client's certificate.
	// Default: the system's roots.
	TLS *tls.Config
	// Header goes with every request, such as the one with a token.
	Header http.Header
	// Timeout bounds each call. Default: [DefaultTimeout].
	Timeout time.Duration
	// Hold is how long a stream is held open in silence, to see whether a proxy
	// cuts it. Default: [DefaultHold]; less than zero: no such check.
	Hold time.Duration
	// Done, if set, is told of each check as it ends, in one goroutine.
	Done func(Check)
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	// Works: as it should be.
	Works Outcome = "works"
	// Warns: it works, and something about it is worth knowing.
	Warns Outcome = "warns"
	// Fails: it should work and does not.
	Fails Outcome = "fails"
	// Skipped: it cannot be expected here; the reason says why.
	Skipped Outcome = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	// Group is connection, calls, messages or streams.
	Group string `json:"group"`
	// Name is what was checked, such as clock; of a call the kind of RPC.
	Name string `json:"name"`
	// Protocol and Transport are set for calls.
	Protocol  string `json:"protocol,omitempty"`
	Transport string `json:"transport,omitempty"`
	// Outcome is how it ended.
	Outcome Outcome `json:"outcome"`
	// Detail says what was seen, and of a failure why and what to do.
	Detail string `json:"detail,omitempty"`
	// Milliseconds is how long it took, where that says something: of a call
	// the time over a connection that stands already.
	Milliseconds float64 `json:"milliseconds,omitempty"`
}

// Report is the result of an examination.
type Report struct {
	Target string `json:"target"`
	// Server is what the server says of itself; empty where it could not be asked.
	Server string  `json:"server,omitempty"`
	Checks []Check `json:"checks"`
}

// Healthy says whether all that should work does.
func (r *Report) Healthy() bool {
	for _, c := range r.Checks {
		if c.Outcome == Fails {
			return false
		}
	}
	return true
}

// examination is one run.
type examination struct {
	Options
	ctx    context.Context //nolint:containedctx // it lives as long as its run
	url    *url.URL
	socket string // the unix socket's path, if the target is one
	report Report
}

// Run examines the server, for a few seconds and the time of Hold. What it finds,
// also that nothing is there, is in the report; the error is of a Target that is
// no URL.
func Run(ctx context.Context, options Options) (*Report, error) {
	report := Report{Target: options.Target}
	var socket string
	if path, ok := strings.CutPrefix(options.Target, "unix:"); ok && path != "" {
		socket, options.Target = path, "http://localhost" // what HTTP asks for there
	}
	target, err := url.Parse(options.Target)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("%q is no URL such as https://vitals.example.com", options.Target)
	}
	if options.Timeout == 0 {
		options.Timeout = DefaultTimeout
	}
	if options.Hold == 0 {
		options.Hold = DefaultHold
	}
	x := &examination{Options: options, ctx: ctx, url: target, socket: socket, report: report}
	if x.connection() {
		transports := x.calls(x.transports())
		x.messages(transports)
		x.streams(transports)
		for _, t := range transports {
			t.close()
		}
	}
	return &x.report, nil
}

// add notes the end of a check.
func (x *examination) add(c Check) {
	x.report.Checks = append(x.report.Checks, c)
	if x.Done != nil {
		x.Done(c)
	}
}

// secure says whether the server is reached by TLS.
func (x *examination) secure() bool { return x.url.Scheme == "https" }

// milliseconds is a duration with three digits behind the point.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
