package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/client"
	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/server/servertest"
)

const stormCallers = 200

var stormTime = flag.Duration("storm", 15*time.Second, "how long the storm lasts")

// TestStorm lets 200 callers of all protocols loose on one port for a while: no call
// may fail, no answer be wrong, and nothing be left when they are gone. `-args -storm
// 1m` has it last longer.
func TestStorm(t *testing.T) {
	srv := startServer(t)
	eventually(t, "the server has measured its host", func() bool {
		_, err := srv.client().Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
		return err == nil
	})
	before := settled(t, srv)
	length := *stormTime
	if testing.Short() {
		length /= 5
	}
	s := &storm{srv: srv, calls: map[string]*atomic.Int64{}}
	s.run(t, length)

	var total int64
	for _, name := range slices.Sorted(maps.Keys(s.calls)) {
		n := s.calls[name].Load()
		total += n
		t.Logf("%-20s %8d calls", name, n)
		if n == 0 {
			t.Errorf("no call by %s", name)
		}
	}
	t.Logf("%d calls by %d callers in %s", total, stormCallers, length)
	eventually(t, "the server is as it was before", func() bool {
		now := resources(t, srv)
		return now.goroutines <= before.goroutines+10 && now.files <= before.files+5
	})
	for line := range strings.Lines(srv.log.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			t.Errorf("the server says: %s", line)
		}
	}
}

// storm is a crowd of callers.
type storm struct {
	srv   *serverProcess
	calls map[string]*atomic.Int64 // by kind of caller
}

// caller makes one round of calls and says how many those were.
type caller struct {
	name  string
	close func()
	round func(context.Context) (calls int64, err error)
}

func (s *storm) run(t *testing.T, length time.Duration) {
	t.Helper()
	kinds := slices.Concat(rpcCallers(), olderCallers())
	for _, kind := range kinds {
		s.calls[kind.name] = new(atomic.Int64)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length+patience)
	defer cancel()
	end := time.Now().Add(length)
	var crowd sync.WaitGroup
	for i := range stormCallers {
		crowd.Go(func() {
			c, err := kinds[i%len(kinds)].open(s.srv.url)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			for time.Now().Before(end) {
				n, err := c.round(ctx)
				s.calls[c.name].Add(n)
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
					return
				}
			}
		})
	}
	crowd.Wait()
}

// kind is a kind of caller.
type kind struct {
	name string
	open func(url string) (*caller, error)
}

// rpcCallers are those that the client library can be.
func rpcCallers() (kinds []kind) {
	connections := append(servertest.Connections(),
		servertest.Connection{Name: "connect-get-http1", Options: []client.Option{client.WithGet(), client.WithJSON()}},
		servertest.Connection{Name: "connect-gzip-http2", HTTP2: true, Options: []client.Option{client.WithGzip(), client.WithH2C()}})
	for _, conn := range connections {
		kinds = append(kinds, kind{conn.Name, func(url string) (*caller, error) {
			c, err := client.New(url, append([]client.Option{client.WithRetry(1), client.WithTimeout(patience)}, conn.Options...)...)
			if err != nil {
				return nil, err
			}
			return &caller{conn.Name, c.Close, func(ctx context.Context) (int64, error) { return rpcRound(ctx, c, conn.HTTP2) }}, nil
		}})
	}
	return kinds
}

// rpcRound makes a call of each kind.
func rpcRound(ctx context.Context, c *client.Client, bothWays bool) (calls int64, err error) {
	steps := []func(context.Context, *client.Client) error{add, countUp, sum, classic, subscribe}
	if bothWays {
		steps = append(steps, echo)
	}
	for _, step := range steps {
		if err := step(ctx, c); err != nil {
			return calls, err
		}
		calls++
	}
	return calls, nil
}

func add(ctx context.Context, c *client.Client) error {
	res, err := c.Diagnostics().Add(ctx, &diagnosticsv1.AddRequest{A: 5, B: 3})
	return expect("Add", err, res.GetResult() == 8, res)
}

func countUp(ctx context.Context, c *client.Client) error {
	stream, err := c.Diagnostics().CountUp(ctx, &diagnosticsv1.CountUpRequest{To: 20})
	if err != nil {
		return expect("CountUp", err, false, nil)
	}
	defer stream.Close()
	for n := range uint32(20) {
		res, err := stream.Receive()
		if err := expect("CountUp", err, res.GetNumber() == n+1, res); err != nil {
			return err
		}
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return expect("CountUp's end", err, false, nil)
	}
	return nil
}

func sum(ctx context.Context, c *client.Client) error {
	stream, err := c.Diagnostics().Sum(ctx)
	if err != nil {
		return expect("Sum", err, false, nil)
	}
	for _, n := range []int32{4, 7, 31} {
		if err := stream.Send(&diagnosticsv1.SumRequest{Number: n}); err != nil {
			return expect("Sum", err, false, nil)
		}
	}
	res, err := stream.CloseAndReceive()
	return expect("Sum", err, res.GetResult() == 42, res)
}

func echo(ctx context.Context, c *client.Client) error {
	stream, err := c.Diagnostics().Echo(ctx)
	if err != nil {
		return expect("Echo", err, false, nil)
	}
	defer stream.Close()
	for n := range 3 {
		text := strconv.Itoa(n)
		if err := stream.Send(&diagnosticsv1.EchoRequest{Text: text}); err != nil {
			return expect("Echo", err, false, nil)
		}
		res, err := stream.Receive()
		if err := expect("Echo", err, res.GetText() == text, res); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return expect("Echo", err, false, nil)
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return expect("Echo's end", err, false, nil)
	}
	return nil
}

func classic(ctx context.Context, c *client.Client) error {
	res, err := c.Monitoring().GetMetric(ctx, &monitoring.MetricRequest{MetricType: "memory"})
	return expect("GetMetric", err, res.GetValue() > 0 && res.GetUnit() == "GB", res)
}

// subscribe stays until the first whole snapshot, and leaves in the middle.
func subscribe(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Live().Subscribe(ctx, &monitoringv1.SubscribeRequest{})
	if err != nil {
		return expect("Subscribe", err, false, nil)
	}
	defer stream.Close()
	res, err := stream.Receive()
	return expect("Subscribe", err, res != nil, res)
}

// expect puts what went wrong into words.
func expect(what string, err error, right bool, got any) error {
	if err != nil || !right {
		return fmt.Errorf("%s: %v, %w", what, got, err)
	}
	return nil
}

// olderCallers speak JSON-RPC and XML-RPC.
func olderCallers() (kinds []kind) {
	for _, o := range []struct{ name, path, contentType, body, want string }{
		{"json-rpc", "/jsonrpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"add","params":[5,3]}`, `"result":8`},
		{"xml-rpc", "/RPC2", "text/xml", `<methodCall><methodName>add</methodName><params><param><value><int>5</int></value></param>` +
			`<param><value><int>3</int></value></param></params></methodCall>`, `<int>8</int>`},
	} {
		kinds = append(kinds, kind{o.name, func(url string) (*caller, error) {
			transport := &http.Transport{}
			c := &http.Client{Transport: transport, Timeout: patience}
			return &caller{o.name, transport.CloseIdleConnections, func(ctx context.Context) (int64, error) {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+o.path, strings.NewReader(o.body))
				if err != nil {
					return 0, err
				}
				req.Header.Set("Content-Type", o.contentType)
				res, err := c.Do(req)
				if err != nil {
					return 0, err
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				return 1, expect(o.path, err, strings.Contains(string(text), o.want), string(text))
			}}, nil
		}})
	}
	return kinds
}

// held is what the server's process holds.
type held struct{ goroutines, files int }

// settled is what it holds when nobody calls.
func settled(t *testing.T, srv *serverProcess) held {
	t.Helper()
	last := resources(t, srv)
	eventually(t, "the server is at rest", func() bool {
		now := resources(t, srv)
		same := now == last
		last = now
		return same
	})
	return last
}

// resources asks the server by a connection that is gone afterwards.
func resources(t *testing.T, srv *serverProcess) (h held) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get(srv.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case name == "go_goroutines":
			h.goroutines = int(number)
		case name == "process_open_fds":
			h.files = int(number)
		}
	}
	return h
}
