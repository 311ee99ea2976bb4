package rpc

import (
	"context"
	"errors"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/ingest"
	"github.com/vitals-rpc/vitals/server/interceptor"
	"github.com/vitals-rpc/vitals/server/query"
	"github.com/vitals-rpc/vitals/server/store"
)

// Errors is the interceptor that turns domain errors into codes: the one table
// of what a caller gets. An error that is not in it goes on as it is, and the
// transport tells the caller no more than its code.
func Errors(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		err := next(ctx, spec, stream)
		if code, ok := codeOf(err); ok {
			return connect.NewError(code, err.Error()).WithCause(err)
		}
		return err
	}
}

func codeOf(err error) (connect.Code, bool) {
	switch {
	case err == nil || is[*connect.Error](err):
		return 0, false
	case is[*metric.UnknownHostError](err), is[*metric.UnknownTypeError](err), is[*health.UnknownComponentError](err):
		return connect.CodeNotFound, true
	case is[*metric.NoSampleError](err), errors.Is(err, health.ErrStopping), errors.Is(err, interceptor.ErrStreamAge):
		return connect.CodeUnavailable, true
	case is[*ingest.RateError](err), is[*ingest.HostLimitError](err), errors.Is(err, store.ErrFull), is[*query.LimitError](err), is[*store.QueryLimitError](err):
		return connect.CodeResourceExhausted, true
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		return connect.CodeUnavailable, true
	case is[*metric.AmbiguousTypeError](err), is[*query.ParseError](err), is[*query.EvaluationError](err), is[*query.RangeError](err):
		return connect.CodeInvalidArgument, true
	case errors.Is(err, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded, true
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled, true
	}
	return 0, false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
