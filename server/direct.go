package server

import (
	"context"

	"github.com/vitals-rpc/vitals/server/h2"
)

// beginDirect is grpc.Options.Begin, the short way for gRPC over our own HTTP/2. It
// gives a call its context, where middleware has nothing else to do for it: no proxy
// and no browser is behind it, and its host name is the server's.
func (s *Server) beginDirect(stream *h2.Stream) (context.Context, bool) {
	ctx := stream.Context()
	o := remoteEndOf(ctx)
	if o == nil {
		return nil, false
	}
	o.settle(ctx, stream.RemoteAddr(), stream.TLS())
	if s.opts.TrustedProxies.Any() && s.opts.TrustedProxies.Trusts(stream.RemoteAddr()) {
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
