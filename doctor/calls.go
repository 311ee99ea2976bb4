package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// The kinds of RPC.
const (
	unary        = "unary"
	serverStream = "server stream"
	clientStream = "client stream"
	bidiStream   = "bidi stream"
)

// errWrong says that an answer came and was not the known one.
var errWrong = errors.New("the answer is wrong")

// calls tries every protocol over every transport, in each kind of RPC, and
// returns the transports that there are.
func (x *examination) calls(transports []*transport) []*transport {
	for _, t := range transports {
		x.callsOver(t)
	}
	if offered := slices.ContainsFunc(transports, (*transport).offersHTTP3); offered {
		t := x.overQUIC()
		transports = append(transports, t)
		x.callsOver(t)
	} else if x.secure() {
		x.add(Check{Group: "connection", Name: "http3", Outcome: Skipped, Detail: "HTTP/3 is not offered (Alt-Svc); vitals serve does so with --http3"})
	}
	x.introduce(transports)
	return transports
}

func (x *examination) callsOver(t *transport) {
	for _, p := range protocols() {
		client := diagnostics(x.dial(t, p))
		for _, kind := range []string{unary, serverStream, clientStream, bidiStream} {
			check := Check{Group: "calls", Name: kind, Protocol: p.name, Transport: t.name}
			if why := hopeless(t, p, kind); why != "" {
				check.Outcome, check.Detail = Skipped, why
			} else {
				x.try(&check, t, func(ctx context.Context) error { return call(ctx, client, kind) })
			}
			x.add(check)
		}
	}
	x.older(t)
}

// hopeless says why a call cannot be expected to work, if so.
func hopeless(t *transport, p protocol, kind string) string {
	switch {
	case p.get && kind != unary:
		return "GET is for unary calls"
	case p.name == "gRPC" && t.name == http1:
		return "gRPC needs HTTP/2"
	case kind == bidiStream && t.name == http1:
		return "a stream both ways needs HTTP/2"
	}
	return ""
}

// try makes a call twice: the first opens the connection, the second is timed.
func (x *examination) try(check *Check, t *transport, call func(context.Context) error) {
	for range 2 {
		ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
		start := time.Now()
		err := call(ctx)
		took := time.Since(start)
		cancel()
		if err != nil {
			check.Outcome, check.Detail = Fails, explain(err, t, x)
			return
		}
		check.Outcome, check.Milliseconds = Works, milliseconds(took)
	}
}

func call(ctx context.Context, client diagnosticsv1connect.DiagnosticsServiceClient, kind string) error {
	switch kind {
	case unary:
		res, err := client.Add(ctx, &diagnosticsv1.AddRequest{A: 5, B: 3})
		return known(err, res.GetResult() == 8, "5 and 3 are not %d", res.GetResult())
	case serverStream:
		return countUp(ctx, client)
	case clientStream:
		return sum(ctx, client)
	default:
		return echo(ctx, client)
	}
}

// known judges an answer.
func known(err error, right bool, format string, args ...any) error {
	if err != nil || right {
		return err
	}
	return fmt.Errorf("%w: "+format, append([]any{errWrong}, args...)...)
}

func countUp(ctx context.Context, client diagnosticsv1connect.DiagnosticsServiceClient) error {
	stream, err := client.CountUp(ctx, &diagnosticsv1.CountUpRequest{To: 3})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // read to its end, or failed
	for want := range uint32(3) {
		res, err := stream.Receive()
		if err := known(err, res.GetNumber() == want+1, "%d is not the next number", res.GetNumber()); err != nil {
			return err
		}
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return known(err, false, "the stream has no end")
	}
	return nil
}

func sum(ctx context.Context, client diagnosticsv1connect.DiagnosticsServiceClient) error {
	stream, err := client.Sum(ctx)
	if err != nil {
		return err
	}
	for _, number := range []int32{4, 7, 31} {
		if err := stream.Send(&diagnosticsv1.SumRequest{Number: number}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	res, err := stream.CloseAndReceive()
	return known(err, res.GetResult() == 42, "4, 7 and 31 are not %d", res.GetResult())
}

func echo(ctx context.Context, client diagnosticsv1connect.DiagnosticsServiceClient) error {
	stream, err := client.Echo(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // read to its end, or failed
	for _, text := range []string{"once", "again"} {
		if err := stream.Send(&diagnosticsv1.EchoRequest{Text: text}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		res, err := stream.Receive()
		if err := known(err, res.GetText() == text, "%q came back as %q", text, res.GetText()); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return known(err, false, "the stream has no end")
	}
	return nil
}

// introduce asks the server what it is, by whatever works, and compares clocks.
func (x *examination) introduce(transports []*transport) {
	t, p, ok := x.working(transports)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
	defer cancel()
	start := time.Now()
	info, err := system(x.dial(t, p)).GetSystemInfo(ctx, &monitoringv1.GetSystemInfoRequest{})
	took := time.Since(start)
	if err != nil {
		x.add(Check{Group: "connection", Name: "server", Outcome: Fails, Detail: explain(err, t, x)})
		return
	}
	x.report.Server = fmt.Sprintf("%s %s on %s", info.GetServer(), info.GetVersion(), info.GetHostname())
	ahead := info.GetTime().AsTime().Sub(start.Add(took / 2))
	x.add(clock(ahead, took))
}

// clockWarning is how far apart the clocks may be before samples look misplaced.
const clockWarning = 2 * time.Second

func clock(ahead, took time.Duration) Check {
	check := Check{Group: "connection", Name: "clock", Outcome: Works,
		Detail: fmt.Sprintf("the server's is %s ahead of this machine's (to %s)", ahead.Round(time.Millisecond), (took / 2).Round(100*time.Microsecond))}
	if ahead.Abs() > clockWarning {
		check.Outcome = Warns
		check.Detail += ": set both by NTP, or what this machine reports will stand at the wrong time"
	}
	return check
}

// working is the first way of calling that works for unary calls.
func (x *examination) working(transports []*transport) (*transport, protocol, bool) {
	for _, t := range transports {
		for _, p := range protocols() {
			if x.outcome(t.name, p.name, unary) == Works {
				return t, p, true
			}
		}
	}
	return nil, protocol{}, false
}

func (x *examination) outcome(transport, protocol, kind string) Outcome {
	for _, c := range x.report.Checks {
		if c.Group == "calls" && c.Transport == transport && c.Protocol == protocol && c.Name == kind {
			return c.Outcome
		}
	}
	return Skipped
}

// interval is a duration as the messages have it.
func interval(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
