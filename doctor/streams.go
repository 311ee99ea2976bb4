package doctor

import (
	"context"
	"fmt"
	"time"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
)

// streams looks at what proxies do to streams: hold their messages back, and cut
// them when they are silent.
func (x *examination) streams(transports []*transport) {
	for _, t := range transports {
		for _, p := range protocols() {
			if x.outcome(t.name, p.name, serverStream) != Works {
				continue
			}
			x.add(x.prompt(t, p))
			if x.Hold > 0 {
				x.add(x.held(t, p))
			}
			break // one protocol a transport: proxies know no difference
		}
	}
}

// apart is the time between two messages of the check of buffering.
const apart = 300 * time.Millisecond

// prompt checks that messages arrive as they are sent.
func (x *examination) prompt(t *transport, p protocol) Check {
	check := Check{Group: "streams", Name: "prompt", Protocol: p.name, Transport: t.name, Outcome: Works, Detail: "messages arrive as they are sent"}
	ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
	defer cancel()
	waited, err := x.wait(ctx, t, p, apart)
	switch {
	case err != nil:
		check.Outcome, check.Detail = Fails, explain(err, t, x)
	case waited < apart/3:
		check.Outcome = Fails
		check.Detail = "messages that were sent apart arrive at once: something between holds them back (in nginx: proxy_buffering off)"
	}
	return check
}

// held checks that a stream outlives silence.
func (x *examination) held(t *transport, p protocol) Check {
	check := Check{Group: "streams", Name: "hold", Protocol: p.name, Transport: t.name, Outcome: Works,
		Detail: fmt.Sprintf("a stream lives through %s of silence", x.Hold)}
	ctx, cancel := context.WithTimeout(x.ctx, x.Hold+x.Timeout)
	defer cancel()
	start := time.Now()
	if _, err := x.wait(ctx, t, p, x.Hold); err != nil {
		check.Outcome = Fails
		check.Detail = fmt.Sprintf("cut after %s of silence (%v): a proxy's timeout is shorter "+
			"(in nginx: proxy_read_timeout or grpc_read_timeout; in HAProxy: timeout server, timeout client, timeout tunnel)",
			time.Since(start).Round(100*time.Millisecond), err)
	}
	return check
}

// wait receives two messages that are sent a time apart, and tells what time lay
// between them here.
func (x *examination) wait(ctx context.Context, t *transport, p protocol, apart time.Duration) (time.Duration, error) {
	stream, err := diagnostics(x.dial(t, p)).CountUp(ctx, &diagnosticsv1.CountUpRequest{To: 2, Interval: interval(apart)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = stream.Close() }() // all that was wanted has come, or it failed
	if _, err := stream.Receive(); err != nil {
		return 0, err
	}
	first := time.Now()
	_, err = stream.Receive()
	return time.Since(first), err
}
