package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/query"
	"github.com/vitals-rpc/vitals/server/rpc"
	"github.com/vitals-rpc/vitals/server/store"
)

// through sends an error through the table.
func through(t *testing.T, err error) error {
	t.Helper()
	return rpc.Errors(func(context.Context, connect.Spec, connect.ServerStream) error { return err })(t.Context(), connect.Spec{}, nil)
}

func TestErrors(t *testing.T) {
	f := func(err error, want connect.Code) {
		t.Helper()
		for _, err := range []error{err, fmt.Errorf("asking: %w", err)} {
			got := through(t, err)
			coded, ok := errors.AsType[*connect.Error](got)
			if !ok || coded.Code() != want || coded.Message() != err.Error() || !errors.Is(got, err) {
				t.Errorf("%v became %v, want code %v and the same words", err, got, want)
			}
		}
	}
	f(&metric.UnknownHostError{Host: "a"}, connect.CodeNotFound)
	f(&metric.UnknownTypeError{Type: "a", Host: "b"}, connect.CodeNotFound)
	f(&health.UnknownComponentError{Name: "a"}, connect.CodeNotFound)
	f(&metric.NoSampleError{Type: "a", Host: "b"}, connect.CodeUnavailable)
	f(health.ErrStopping, connect.CodeUnavailable)
	f(&metric.AmbiguousTypeError{Type: "a", Host: "b", Series: []*metric.Series{metric.NewSeries("a", "b", nil)}}, connect.CodeInvalidArgument)
	f(context.DeadlineExceeded, connect.CodeDeadlineExceeded)
	f(context.Canceled, connect.CodeCanceled)

	// Of history that cannot be read callers are told what to do, unless it will be
	// again in a moment.
	for _, err := range []error{&query.StorageError{Err: os.ErrPermission}, fmt.Errorf("asking: %w", &store.ReadError{Err: os.ErrPermission})} {
		got := through(t, err)
		coded, ok := errors.AsType[*connect.Error](got)
		if !ok || coded.Code() != connect.CodeInternal || !strings.Contains(coded.Message(), "another time") || !errors.Is(got, os.ErrPermission) {
			t.Errorf("%v became %v", err, got)
		}
	}
	f(&query.StorageError{Err: store.ErrUnavailable}, connect.CodeUnavailable)
	f(&store.ReadError{Err: store.ErrClosed}, connect.CodeUnavailable)

	// What is not in the table goes on as it is, and so does what has a code.
	own := connect.NewError(connect.CodeAborted, "mine")
	for _, err := range []error{nil, errors.New("internal"), own} {
		if got := through(t, err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
