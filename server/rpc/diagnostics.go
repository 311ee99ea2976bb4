package rpc

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
)

// Diagnostics implements diagnostics.v1.DiagnosticsService.
type Diagnostics struct{}

var _ diagnosticsv1connect.DiagnosticsServiceHandler = Diagnostics{}

// Add returns a sum.
func (Diagnostics) Add(_ context.Context, req *diagnosticsv1.AddRequest) (*diagnosticsv1.AddResponse, error) {
	result, err := narrow("sum", int64(req.GetA())+int64(req.GetB()))
	return &diagnosticsv1.AddResponse{Result: result}, err
}

// Multiply returns a product.
func (Diagnostics) Multiply(_ context.Context, req *diagnosticsv1.MultiplyRequest) (*diagnosticsv1.MultiplyResponse, error) {
	result, err := narrow("product", int64(req.GetA())*int64(req.GetB()))
	return &diagnosticsv1.MultiplyResponse{Result: result}, err
}

func narrow(what string, n int64) (int32, error) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, connect.Errorf(connect.CodeOutOfRange, "the %s is %d, which does not fit into 32 bits; choose smaller numbers", what, n)
	}
	return int32(n), nil
}

// Uppercase returns capital letters.
func (Diagnostics) Uppercase(_ context.Context, req *diagnosticsv1.UppercaseRequest) (*diagnosticsv1.UppercaseResponse, error) {
	return &diagnosticsv1.UppercaseResponse{Result: strings.ToUpper(req.GetText())}, nil
}

// CountUp sends numbers.
func (Diagnostics) CountUp(ctx context.Context, req *diagnosticsv1.CountUpRequest, stream diagnosticsv1connect.DiagnosticsServiceCountUpServerStream) error {
	interval := req.GetInterval().AsDuration()
	wait := time.NewTimer(interval)
	defer wait.Stop()
	for number := uint32(1); number <= req.GetTo(); number++ {
		if number > 1 && interval > 0 {
			wait.Reset(interval)
			select {
			case <-wait.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := stream.Send(&diagnosticsv1.CountUpResponse{Number: number}); err != nil {
			return err
		}
	}
	return nil
}

// Sum adds up what comes.
func (Diagnostics) Sum(ctx context.Context, stream diagnosticsv1connect.DiagnosticsServiceSumServerStream) (*diagnosticsv1.SumResponse, error) {
	requests := receiveAll(ctx, stream.Receive)
	res := &diagnosticsv1.SumResponse{}
	for {
		req, err := next(ctx, requests)
		if err != nil {
			return res, ignoreEOF(err)
		}
		res.Result += int64(req.GetNumber())
		res.Count++
	}
}

// Echo sends back what comes.
func (Diagnostics) Echo(ctx context.Context, stream diagnosticsv1connect.DiagnosticsServiceEchoServerStream) error {
	if err := stream.SendHeaders(); err != nil { // a caller may wait for them before it sends
		return err
	}
	requests := receiveAll(ctx, stream.Receive)
	for {
		req, err := next(ctx, requests)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		res := &diagnosticsv1.EchoResponse{Text: req.GetText(), Payload: req.GetPayload(), Received: timestamppb.Now()}
		if err := stream.Send(res); err != nil {
			return err
		}
	}
}
