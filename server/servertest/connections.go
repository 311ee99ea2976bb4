package servertest

import (
	"sync"
	"testing"

	"github.com/vitals-rpc/vitals/client"
)

// Connection is one way to call: a protocol, an encoding and an HTTP version.
type Connection struct {
	Name string
	// Protocol is the name that the server's metrics and logs have for it.
	Protocol string
	HTTP2    bool
	Options  []client.Option
}

// Connections returns every way to call that there is; gRPC needs HTTP/2.
func Connections() []Connection {
	return []Connection{
		{"connect-json-http1", "connect", false, []client.Option{client.WithJSON()}},
		{"connect-json-http2", "connect", true, []client.Option{client.WithJSON(), client.WithH2C()}},
		{"connect-proto-http1", "connect", false, nil},
		{"connect-proto-http2", "connect", true, []client.Option{client.WithH2C()}},
		{"grpc-http2", "grpc", true, []client.Option{client.WithProtocol(client.GRPC)}},
		{"grpcweb-http1", "grpcweb", false, []client.Option{client.WithProtocol(client.GRPCWeb)}},
		{"grpcweb-http2", "grpcweb", true, []client.Option{client.WithProtocol(client.GRPCWeb), client.WithH2C()}},
	}
}

// Client makes a client of the server over this connection, which tries each
// call once.
func (s *Server) Client(conn Connection, more ...client.Option) *client.Client {
	s.tb.Helper()
	options := append([]client.Option{client.WithRetry(1)}, conn.Options...)
	c, err := client.New(s.URL, append(options, more...)...)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(c.Close)
	return c
}

// EachConnection runs the test once for every way to call, all at the same time
// and however few processors there are, and returns when they are done.
func EachConnection(t *testing.T, test func(t *testing.T, conn Connection)) {
	t.Helper()
	var all sync.WaitGroup
	for _, conn := range Connections() {
		all.Go(func() { t.Run(conn.Name, func(t *testing.T) { test(t, conn) }) })
	}
	all.Wait()
}
