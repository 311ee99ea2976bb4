package server_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

// readConn knows whether it was closed while somebody read from it.
type readConn struct {
	net.PacketConn
	readers atomic.Int32
	cut     atomic.Bool
	closed  atomic.Bool
}

func (c *readConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.readers.Add(1)
	defer c.readers.Add(-1)
	return c.PacketConn.ReadFrom(b)
}

func (c *readConn) Close() error {
	c.cut.Store(c.readers.Load() > 0)
	c.closed.Store(true)
	return c.PacketConn.Close()
}

// At a stop QUIC is closed before the port that it reads from.
func TestStopClosesQUIC(t *testing.T) {
	ca := servertest.NewAuthority(t)
	listeners, err := listen.Open(t.Context(), listen.Options{Addresses: []string{"127.0.0.1:0"}, TLS: ca.TLS(certificate.Options{}), HTTP3: true})
	if err != nil {
		t.Fatal(err)
	}
	port := &readConn{PacketConn: listeners[0].QUIC}
	listeners[0].QUIC = port
	srv, err := server.New(t.Context(), server.Options{
		Hostname: servertest.Hostname, Logger: slog.New(slog.DiscardHandler), History: store.Options{Dir: t.TempDir()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx, listeners...) }()
	res, err := over(t, ca, 3).Get("https://" + listeners[0].Addr().String() + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", res, err)
	} else {
		res.Body.Close()
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if port.cut.Load() || !port.closed.Load() {
		t.Errorf("closed: %t, while it was read from: %t", port.closed.Load(), port.cut.Load())
	}
}
