package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/peer"
)

// remoteEnd is what is at the other end of a connection, found out once.
type remoteEnd struct {
	once       sync.Once
	connection *access.Connection
	peer       peer.Peer
	// sendBy is until when a write over HTTP/1.1 may wait; of the goroutine that
	// answers. See deadlineWriter.
	sendBy time.Time
}

type remoteEndKey struct{}

// withRemoteEnd is http.Server.ConnContext: it makes room in the connection's context,
// for nothing is known before its first request: TLS and the PROXY protocol come
// first.
func withRemoteEnd(ctx context.Context, _ net.Conn) context.Context {
	o := &remoteEnd{connection: access.NewConnection()}
	ctx = context.WithValue(ctx, remoteEndKey{}, o)
	return peer.With(access.WithConnection(ctx, o.connection), &o.peer)
}

// settle finds it out, if nobody has.
func (o *remoteEnd) settle(ctx context.Context, remote string, state *tls.ConnectionState) {
	o.once.Do(func() {
		local, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
		o.connection.Settle(local, remote, state)
		o.peer = peer.Direct(remote, state)
	})
}

func remoteEndOf(ctx context.Context) *remoteEnd {
	o, _ := ctx.Value(remoteEndKey{}).(*remoteEnd)
	return o
}

// settle is the middleware that does so before all others.
func settle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := remoteEndOf(r.Context()); o != nil {
			o.settle(r.Context(), r.RemoteAddr, r.TLS)
		}
		next.ServeHTTP(w, r)
	})
}

// delayDeadline sees to it that writes have at least that long from now, and no more than
// twice that.
func (o *remoteEnd) delayDeadline(control *http.ResponseController, timeout time.Duration) {
	now := time.Now()
	if o.sendBy.Sub(now) < timeout {
		o.sendBy = now.Add(2 * timeout)
		_ = control.SetWriteDeadline(o.sendBy) // HTTP/1.1 has them
	}
}
