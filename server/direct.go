package server

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/h2"
	"github.com/vitals-rpc/vitals/server/peer"
)

// other is what is at the other end of a connection, found out once.
type other struct {
	once       sync.Once
	connection *access.Connection
	peer       peer.Peer
	proxy      bool // a trusted one, which speaks for others
}

type otherKey struct{}

// withOther is http.Server.ConnContext: it makes room in the connection's context,
// for nothing is known before its first request: TLS and the PROXY protocol come
// first.
func withOther(ctx context.Context, _ net.Conn) context.Context {
	o := &other{connection: access.NewConnection()}
	ctx = context.WithValue(ctx, otherKey{}, o)
	return peer.With(access.WithConnection(ctx, o.connection), &o.peer)
}

// beginDirect is grpc.Options.Begin, the short way for gRPC over our own HTTP/2. It
// gives a call its context, where middleware has nothing else to do for it: no proxy or browser is behind it, and its host name is the server's.
func (s *Server) beginDirect(stream *h2.Stream) (context.Context, bool) {
	ctx := stream.Context()
	o, ok := ctx.Value(otherKey{}).(*other)
	if !ok {
		return nil, false
	}
	o.once.Do(func() {
		local, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
		o.connection.Settle(local, stream.RemoteAddr(), stream.TLS())
		o.peer = peer.Direct(stream.RemoteAddr(), stream.TLS())
		o.proxy = s.opts.TrustedProxies.Trusts(stream.RemoteAddr())
	})
	if o.proxy {
		return nil, false
	}
	token := false
	for _, f := range stream.Fields() {
		switch f.Name {
		case "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "via",
			"origin", "cookie", "sec-fetch-site", "host", "expect":
			return nil, false
		case "authorization":
			token = f.Value != ""
		}
	}
	return ctx, token || s.guard.KnowsName(ctx, stream.Authority())
}
