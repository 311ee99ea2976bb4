package server

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/interceptor"
)

// The bounds of a request to sign in: what it may have, and how long it may take
// to come.
const (
	maxSignInBytes = 8 << 10
	signInTimeout  = 10 * time.Second
)

// serveSignIn begins a session of the page: a cookie for a name and password, or
// for a user's token. The body is JSON, which no other site's form can send.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeText(w, http.StatusUnsupportedMediaType, `send {"name": "...", "password": "..."} or {"token": "..."} as application/json`)
		return
	}
	var in struct{ Name, Password, Token string }
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(signInTimeout)) // both HTTP versions have them
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignInBytes)).Decode(&in); err != nil {
		writeText(w, http.StatusBadRequest, `the body is not {"name": "...", "password": "..."} or {"token": "..."}`)
		return
	}
	secret, expires, err := s.signIn(r, in.Name, in.Password, in.Token)
	if err != nil {
		if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
			interceptor.SetRetryAfter(w.Header(), refused.RetryAfter)
			writeText(w, http.StatusTooManyRequests, err.Error())
			return
		}
		writeText(w, signInStatus(err), err.Error())
		return
	}
	http.SetCookie(w, access.Cookie(r, secret, expires))
	w.WriteHeader(http.StatusNoContent)
}

// signIn returns what the cookie is to have. A token is kept as it is: when it is
// revoked, the page is signed out.
func (s *Server) signIn(r *http.Request, name, password, token string) (account.Secret, time.Time, error) {
	if token != "" {
		secret, id, err := s.opts.Accounts.SignInWithToken(r.Context(), token, r.RemoteAddr)
		return secret, id.Expires, err
	}
	secret, t, err := s.opts.Accounts.SignIn(r.Context(), name, password, r.RemoteAddr)
	return secret, t.Expires, err
}

func signInStatus(err error) int {
	switch {
	case errors.Is(err, account.ErrBusy):
		return http.StatusTooManyRequests
	case errors.Is(err, account.ErrUnavailable):
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

// serveSignOut ends the session and takes the cookie away.
func (s *Server) serveSignOut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if caller := account.CallerFrom(r.Context()); caller.Kind == account.SessionToken {
		if err := s.opts.Accounts.SignOut(r.Context(), caller); err != nil && !errors.Is(err, account.ErrNoToken) {
			writeText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	http.SetCookie(w, access.NoCookie(r))
	w.WriteHeader(http.StatusNoContent)
}
