package main

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	conformancev1 "github.com/vitals-rpc/vitals/interop/conformance/gen"
)

// observe is what the server has seen of a call.
func observe(ctx context.Context, requests ...proto.Message) (*conformancev1.ConformancePayload_RequestInfo, error) {
	info, _ := connect.CallInfoForServerContext(ctx)
	seen := &conformancev1.ConformancePayload_RequestInfo{TimeoutMs: timeout(ctx)}
	for name, values := range info.RequestHeader().All() {
		seen.RequestHeaders = append(seen.RequestHeaders, &conformancev1.Header{Name: name, Value: values})
	}
	for _, req := range requests {
		packed, err := anypb.New(req)
		if err != nil {
			return nil, err
		}
		seen.Requests = append(seen.Requests, packed)
	}
	if http, ok := connecthttp.ServerInfoForContext(ctx); ok && len(http.HTTPGetQueryParams()) > 0 {
		seen.ConnectGetInfo = &conformancev1.ConformancePayload_ConnectGetInfo{}
		for name, values := range http.HTTPGetQueryParams() {
			seen.ConnectGetInfo.QueryParams = append(seen.ConnectGetInfo.QueryParams, &conformancev1.Header{Name: name, Value: values})
		}
	}
	return seen, nil
}

// timeout is the one that the caller has set. The server bounds streams itself,
// by a day.
func timeout(ctx context.Context) *int64 {
	deadline, ok := ctx.Deadline()
	if !ok || time.Until(deadline) > maxStreamAge/2 {
		return nil
	}
	return new(time.Until(deadline).Milliseconds())
}

// failure is the error asked for, if one is, with what was seen as its last detail.
func failure(asked *conformancev1.Error, seen *conformancev1.ConformancePayload_RequestInfo) error {
	if asked == nil {
		return nil
	}
	err := connect.NewError(connect.Code(asked.GetCode()), asked.GetMessage())
	details := asked.GetDetails()
	if seen != nil {
		packed, packing := anypb.New(seen)
		if packing != nil {
			return packing
		}
		details = append(details, packed)
	}
	for _, packed := range details {
		detail, unpacking := connectproto.NewErrorDetail(packed)
		if unpacking != nil {
			return unpacking
		}
		err = err.WithDetail(detail)
	}
	return err
}
