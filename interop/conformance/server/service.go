package main

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	conformancev1 "github.com/vitals-rpc/vitals/interop/conformance/gen"
	"github.com/vitals-rpc/vitals/interop/conformance/gen/conformancev1connect"
)

// service does what each request tells it to do and sends back what it has seen
// of it; the comments of the suite's service.proto say how.
type service struct {
	conformancev1connect.UnimplementedConformanceServiceHandler
}

func (service) Unary(ctx context.Context, req *conformancev1.UnaryRequest) (*conformancev1.UnaryResponse, error) {
	payload, err := answerOnce(ctx, req.GetResponseDefinition(), req)
	return &conformancev1.UnaryResponse{Payload: payload}, err
}

func (service) IdempotentUnary(ctx context.Context, req *conformancev1.IdempotentUnaryRequest) (*conformancev1.IdempotentUnaryResponse, error) {
	payload, err := answerOnce(ctx, req.GetResponseDefinition(), req)
	return &conformancev1.IdempotentUnaryResponse{Payload: payload}, err
}

func (service) ClientStream(ctx context.Context, stream conformancev1connect.ConformanceServiceClientStreamServerStream) (*conformancev1.ClientStreamResponse, error) {
	var requests []proto.Message
	var definition *conformancev1.UnaryResponseDefinition
	for {
		req, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(requests) == 0 {
			definition = req.GetResponseDefinition()
		}
		requests = append(requests, req)
	}
	payload, err := answerOnce(ctx, definition, requests...)
	return &conformancev1.ClientStreamResponse{Payload: payload}, err
}

// answerOnce is the answer of the calls that have one.
func answerOnce(ctx context.Context, definition *conformancev1.UnaryResponseDefinition, requests ...proto.Message) (*conformancev1.ConformancePayload, error) {
	seen, err := observe(ctx, requests...)
	if err != nil {
		return nil, err
	}
	setHeaders(ctx, definition)
	wait(definition.GetResponseDelayMs())
	if definition.GetError() != nil {
		return nil, failure(definition.GetError(), seen)
	}
	return &conformancev1.ConformancePayload{Data: definition.GetResponseData(), RequestInfo: seen}, nil
}

func (service) ServerStream(ctx context.Context, req *conformancev1.ServerStreamRequest, stream conformancev1connect.ConformanceServiceServerStreamServerStream) error {
	seen, err := observe(ctx, req)
	if err != nil {
		return err
	}
	definition := req.GetResponseDefinition()
	setHeaders(ctx, definition)
	if len(definition.GetResponseData()) > 0 {
		if err := stream.SendHeaders(); err != nil {
			return err
		}
	}
	for _, data := range definition.GetResponseData() {
		wait(definition.GetResponseDelayMs())
		payload := &conformancev1.ConformancePayload{Data: data, RequestInfo: seen}
		if err := stream.Send(&conformancev1.ServerStreamResponse{Payload: payload}); err != nil {
			return err
		}
		seen = nil // the first answer alone says it
	}
	return failure(definition.GetError(), seen)
}

func (service) BidiStream(ctx context.Context, stream conformancev1connect.ConformanceServiceBidiStreamServerStream) error {
	first, err := stream.Receive()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	setHeaders(ctx, first.GetResponseDefinition())
	d := &dialogue{ctx: ctx, stream: stream, definition: first.GetResponseDefinition()}
	d.left = d.definition.GetResponseData()
	if first.GetFullDuplex() {
		return d.full(first)
	}
	return d.half(first)
}

// dialogue is a call that streams both ways.
type dialogue struct {
	ctx        context.Context //nolint:containedctx // it lives as long as its call
	stream     conformancev1connect.ConformanceServiceBidiStreamServerStream
	definition *conformancev1.StreamResponseDefinition
	left       [][]byte
	answered   bool
}

// full answers each request as it comes, then sends what is left.
func (d *dialogue) full(req *conformancev1.BidiStreamRequest) error {
	if len(d.left) > 0 {
		if err := d.stream.SendHeaders(); err != nil {
			return err
		}
	}
	for {
		if len(d.left) == 0 {
			return d.end(req)
		}
		if err := d.answer(req); err != nil {
			return err
		}
		next, err := d.stream.Receive()
		if errors.Is(err, io.EOF) {
			return d.rest()
		}
		if err != nil {
			return err
		}
		req = next
	}
}

// half hears everything first.
func (d *dialogue) half(first *conformancev1.BidiStreamRequest) error {
	requests := []proto.Message{first}
	for {
		req, err := d.stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, req)
	}
	if len(d.left) == 0 {
		return d.end(requests...)
	}
	if err := d.stream.SendHeaders(); err != nil {
		return err
	}
	if err := d.answer(requests...); err != nil {
		return err
	}
	return d.rest()
}

// answer sends the next message, with what was seen of the requests.
func (d *dialogue) answer(requests ...proto.Message) error {
	wait(d.definition.GetResponseDelayMs())
	payload := &conformancev1.ConformancePayload{Data: d.left[0]}
	if len(requests) > 0 {
		seen, err := observe(d.ctx, requests...)
		if err != nil {
			return err
		}
		payload.RequestInfo = seen
		if d.answered { // all but the requests has been said
			payload.RequestInfo = &conformancev1.ConformancePayload_RequestInfo{Requests: seen.GetRequests()}
		}
	}
	d.left, d.answered = d.left[1:], true
	return d.stream.Send(&conformancev1.BidiStreamResponse{Payload: payload})
}

// rest sends the messages that no request was left for.
func (d *dialogue) rest() error {
	for len(d.left) > 0 {
		if err := d.answer(); err != nil {
			return err
		}
	}
	return d.end()
}

// end closes the call as the definition says.
func (d *dialogue) end(requests ...proto.Message) error {
	if d.answered {
		return failure(d.definition.GetError(), nil)
	}
	seen, err := observe(d.ctx, requests...)
	if err != nil {
		return err
	}
	return failure(d.definition.GetError(), seen)
}

// wait takes its time even if the caller's has run out: an answer just at the
// deadline would race with the caller's own clock.
func wait(milliseconds uint32) { time.Sleep(time.Duration(milliseconds) * time.Millisecond) }

// setHeaders sets the headers and trailers that the definition asks for.
func setHeaders(ctx context.Context, definition interface {
	GetResponseHeaders() []*conformancev1.Header
	GetResponseTrailers() []*conformancev1.Header
},
) {
	info, _ := connect.CallInfoForServerContext(ctx)
	add(info.ResponseHeader(), definition.GetResponseHeaders())
	add(info.ResponseTrailer(), definition.GetResponseTrailers())
}

func add(to *connect.Header, headers []*conformancev1.Header) {
	for _, h := range headers {
		for _, value := range h.GetValue() {
			to.Add(h.GetName(), value)
		}
	}
}
