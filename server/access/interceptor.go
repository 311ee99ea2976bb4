package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/account"
)

// Intercept is the interceptor: it finds out who calls and whether they may,
// before anything of the payload is read, and ends a stream when its caller may
// not have it any more.
func (g *Guard) Intercept(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		conn := connectionOf(ctx)
		info, ok := connect.CallInfoForServerContext(ctx)
		if !ok {
			info = &connect.CallInfo{}
		}
		id, err := g.identify(info.RequestHeader(), conn)
		if err != nil {
			return err
		}
		if err := g.permit(id, spec.Procedure); err != nil {
			return err
		}
		peer := info.PeerAddr
		if peer == "" {
			peer = peerOf(conn)
		}
		ctx = account.WithCaller(ctx, account.Caller{Identity: id, Peer: peer})
		if spec.StreamType == connect.StreamTypeUnary {
			return next(ctx, spec, stream)
		}
		return g.follow(ctx, spec, stream, next, &openStream{id: id, procedure: spec.Procedure, conn: conn})
	}
}

// permit returns nil when a procedure may be called.
func (g *Guard) permit(id account.Identity, procedure string) error {
	role, ok := g.required[procedure]
	if !ok {
		return g.refuse(connect.CodePermissionDenied, "no role is declared for "+procedure)
	}
	return g.check(id, role)
}

func (g *Guard) check(id account.Identity, role account.Role) error {
	switch {
	case id.May(role):
		return nil
	case id.By == account.Anonymous:
		return g.refuse(connect.CodeUnauthenticated, g.mustSignIn())
	default:
		return g.refuse(connect.CodePermissionDenied, fmt.Sprintf("%s has the role %s, and this needs %s", id.Name, id.Role, role))
	}
}

// openStream is a streaming call that runs.
type openStream struct {
	id        account.Identity
	procedure string
	conn      *Connection
	cancel    context.CancelCauseFunc
}

// follow runs a streaming call for as long as its caller may have it.
func (g *Guard) follow(ctx context.Context, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc, open *openStream) error {
	ctx, open.cancel = context.WithCancelCause(ctx)
	defer open.cancel(nil)
	if !open.id.Expires.IsZero() {
		expired := connect.NewError(connect.CodeUnauthenticated, "the token or certificate expired while the stream was open, at "+open.id.Expires.UTC().Format(time.RFC3339))
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, open.id.Expires, expired)
		defer stop()
	}
	g.mu.Lock()
	g.streams[open] = struct{}{}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.streams, open)
	}()
	g.reviewStream(open) // a change may have come since the caller was let in
	err := next(ctx, spec, stream)
	if refusal, ok := errors.AsType[*connect.Error](context.Cause(ctx)); ok && err != nil && refusal.Code() == connect.CodeUnauthenticated {
		return refusal // whatever the handler made of the end of its context
	}
	return err
}

// review looks at every open stream again, after a change of accounts.
func (g *Guard) review() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for open := range g.streams {
		g.reviewStream(open)
	}
}

func (g *Guard) reviewStream(open *openStream) {
	id, err := g.opts.Directory.Renew(open.id)
	if err != nil {
		open.cancel(g.refuse(connect.CodeUnauthenticated, err.Error()))
		return
	}
	if id.By == account.Anonymous {
		id = g.anonymous(open.conn)
	}
	if err := g.permit(id, open.procedure); err != nil {
		open.cancel(err)
	}
}
