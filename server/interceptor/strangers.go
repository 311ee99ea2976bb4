package interceptor

import (
	"context"
	"net/http"

	"connectrpc.com/connect/v2"
)

// Strangers is the interceptor around the one that finds out who calls. Whom that
// one refuses never gets to the gate; the address is counted here instead, and the
// refusals are held back of an address that gets too many.
func (a *Admission) Strangers(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		err := next(ctx, spec, stream)
		if err == nil {
			return nil
		}
		if code := connect.CodeOf(err); code != connect.CodeUnauthenticated && code != connect.CodePermissionDenied {
			return err
		}
		if requestFrom(ctx).spendArrival() {
			return err
		}
		if refused := a.arrive(ctx, a.Gate.Caller(a.Address(ctx))); refused != nil {
			return refused
		}
		return err
	}
}

// StrangersTo is Strangers for what answers by HTTP's own statuses.
func (a *Admission) StrangersTo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&strangersAnswer{ResponseWriter: w, by: a, ctx: r.Context()}, r)
	})
}

// strangersAnswer is an answer that may turn out to be a refusal.
type strangersAnswer struct {
	http.ResponseWriter
	by  *Admission
	ctx context.Context //nolint:containedctx // it lives as long as its request
}

func (s *strangersAnswer) WriteHeader(status int) {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		_ = s.by.arrive(s.ctx, s.by.Gate.Caller(s.by.Address(s.ctx))) // it is refused anyway, only later
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (s *strangersAnswer) Unwrap() http.ResponseWriter { return s.ResponseWriter }
