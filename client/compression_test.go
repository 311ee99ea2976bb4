package client_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// encodings goes to one server, whatever the address says, and keeps how the last
// request and its answer were packed.
type encodings struct {
	*http.Transport
	request, answer string
}

func (e *encodings) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := e.Transport.RoundTrip(req)
	if err == nil {
		e.request, e.answer = req.Header.Get("Content-Encoding"), res.Header.Get("Content-Encoding")
	}
	return res, err
}

// numbers is a resolver that knows one address.
type numbers string

func (n numbers) LookupHost(context.Context, string) ([]string, error) {
	return []string{string(n)}, nil
}

func (n numbers) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{IsNotFound: true}
}

// TestAnswersOfThisMachine are not packed unless the caller says so; those of others
// are.
func TestAnswersOfThisMachine(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AllowedHosts: []string{"hub.example.com"}})
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(srv.URL, "http://"))
	}
	f := func(target, request, answer string, options ...client.Option) {
		t.Helper()
		wire := &encodings{Transport: &http.Transport{DialContext: dial}}
		defer wire.CloseIdleConnections()
		c, err := client.New(target, append(options, client.WithRoundTripper(wire))...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err = c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); err != nil {
			t.Fatal(err)
		}
		if wire.request != request || wire.answer != answer {
			t.Errorf("%s: the request was packed as %q, the answer as %q; want %q and %q", target, wire.request, wire.answer, request, answer)
		}
	}
	f("127.0.0.1:50051", "", "")
	f("127.9.9.9:50051", "", "")
	f("[::1]:50051", "", "")
	f("localhost:50051", "", "")
	f("unix:/run/vitals.sock", "", "")
	f("dns:///hub.example.com:80", "", "", client.WithResolver(numbers("127.0.0.1")))
	f("dns:///hub.example.com:80", "", "gzip", client.WithResolver(numbers("192.0.2.7")))
	f("hub.example.com", "", "gzip")
	f("localhost:50051", "gzip", "gzip", client.WithGzip())
	f("hub.example.com", "gzip", "gzip", client.WithGzip())
	f("hub.example.com", "", "", client.WithoutGzip())
	f("localhost:50051", "gzip", "gzip", client.WithoutGzip(), client.WithGzip())
}
