package access

import (
	"context"
	"net/http"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/account"
)

// strangerBytes is how much a caller who may do next to nothing may send to a
// transport that has to read a body before it knows what is called.
const strangerBytes = 16 << 10

// Named goes before a transport in which the procedure's name is in the body.
// Intercept judges the call as any other; before that, who shows something that
// does not hold is refused with nothing read, and of who shows nothing only a
// small and plain body is read.
func (g *Guard) Named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connectionOf(r.Context())
		id, err := g.identify(r.Header, conn)
		if err != nil {
			refuseHTTP(w, err)
			return
		}
		if id.Role == account.Anyone {
			encoding := r.Header.Get("Content-Encoding")
			if r.ContentLength > strangerBytes || encoding != "" && encoding != connect.CompressionNameIdentity {
				refuseHTTP(w, g.refuse(connect.CodeUnauthenticated, g.mustSignIn()))
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, strangerBytes)
		}
		caller := account.Caller{Identity: id, Peer: r.RemoteAddr}
		next.ServeHTTP(w, r.WithContext(account.WithCaller(r.Context(), caller)))
	})
}

// MayDescribe returns why a caller may not learn what there is to call, or nil.
func (g *Guard) MayDescribe(ctx context.Context) error {
	return g.check(account.CallerFrom(ctx).Identity, account.AnyRole)
}
