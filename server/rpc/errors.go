package rpc

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/admission"
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
		if err != nil && hasLeft(err) {
			return connect.NewError(connect.CodeCanceled, "the caller has left").WithCause(err)
		}
		if info, ok := connect.CallInfoForServerContext(ctx); ok && retryAfter(err) > 0 {
			interceptor.SetRetryAfter(info.ResponseHeader(), retryAfter(err))
		}
		return Told(err)
	}
}

// Told returns what a caller gets of an error: one that is not in the table as it
// is. When to come back is in google.rpc.RetryInfo.
func Told(err error) error {
	code, ok := codeOf(err)
	if !ok {
		return err
	}
	text := err.Error()
	if code == connect.CodeInternal {
		text = unreadable
	}
	told := connect.NewError(code, text).WithCause(err)
	if after := retryAfter(err); after > 0 {
		return tryLater(told, after)
	}
	return told
}

// unreadable is told of history that cannot be read; the cause is the operator's.
const unreadable = "a part of the history cannot be read; ask for other series or another time, or see the server's log for the cause"

// rateRetry is when to come back where a rate was exceeded.
const rateRetry = time.Second

// retryAfter is when to come back, or 0 where nobody can say.
func retryAfter(err error) time.Duration {
	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
		return refused.RetryAfter
	}
	if is[*ingest.RateError](err) {
		return rateRetry
	}
	return 0
}

// tryLater says when to come back.
func tryLater(err *connect.Error, after time.Duration) *connect.Error {
	detail, packing := connectproto.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if packing != nil {
		return err // its words say the same
	}
	return err.WithDetail(detail)
}

func codeOf(err error) (connect.Code, bool) {
	switch {
	case err == nil || is[*connect.Error](err):
		return 0, false
	case is[*metric.UnknownHostError](err), is[*metric.UnknownTypeError](err), is[*health.UnknownComponentError](err):
		return connect.CodeNotFound, true
	case is[*metric.NoSampleError](err), errors.Is(err, health.ErrStopping), errors.Is(err, interceptor.ErrStreamAge):
		return connect.CodeUnavailable, true
	case is[*admission.RefusedError](err), is[*ingest.RateError](err), is[*ingest.BatchSizeError](err), is[*ingest.HostLimitError](err), errors.Is(err, store.ErrFull), is[*query.LimitError](err), is[*store.QueryLimitError](err):
		return connect.CodeResourceExhausted, true
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		return connect.CodeUnavailable, true
	case is[*metric.AmbiguousTypeError](err), is[*query.ParseError](err), is[*query.EvaluationError](err), is[*query.RangeError](err):
		return connect.CodeInvalidArgument, true
	case errors.Is(err, account.ErrNoUser), errors.Is(err, account.ErrNoToken):
		return connect.CodeNotFound, true
	case errors.Is(err, account.ErrExists):
		return connect.CodeAlreadyExists, true
	case errors.Is(err, account.ErrCredentials):
		return connect.CodeUnauthenticated, true
	case errors.Is(err, account.ErrBusy), errors.Is(err, account.ErrFull):
		return connect.CodeResourceExhausted, true
	case errors.Is(err, account.ErrLastAdmin), errors.Is(err, account.ErrUsedUp):
		return connect.CodeFailedPrecondition, true
	case is[*account.InvalidError](err):
		return connect.CodeInvalidArgument, true
	case is[*account.DeniedError](err):
		return connect.CodePermissionDenied, true
	case errors.Is(err, context.DeadlineExceeded), is[*interceptor.SlowRequestError](err):
		return connect.CodeDeadlineExceeded, true
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled, true
	case is[*query.StorageError](err), is[*store.ReadError](err): // without a cause that is above
		return connect.CodeInternal, true
	}
	return 0, false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
