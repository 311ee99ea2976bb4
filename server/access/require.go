package access

import (
	"errors"
	"net/http"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/account"
)

// Require is Intercept for a plain route: it lets callers of a role through.
func (g *Guard) Require(role account.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connectionOf(r.Context())
		id, err := g.identify(r.Header, conn)
		if err == nil {
			err = g.check(id, role)
		}
		if err != nil {
			refuseHTTP(w, err)
			return
		}
		caller := account.Caller{Identity: id, Peer: r.RemoteAddr}
		next.ServeHTTP(w, r.WithContext(account.WithCaller(r.Context(), caller)))
	})
}

// refuseHTTP answers with the status and the text of an error.
func refuseHTTP(w http.ResponseWriter, err error) {
	status, text := http.StatusForbidden, err.Error()
	if e, ok := errors.AsType[*connect.Error](err); ok {
		text = e.Message()
		if e.Code() == connect.CodeUnauthenticated {
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Bearer realm="vitals"`)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
