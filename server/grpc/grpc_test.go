package grpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/compress"
	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/server/grpc"
	"github.com/vitals-rpc/vitals/server/h2"
	"github.com/vitals-rpc/vitals/server/rpc"
)

// patience bounds every wait.
const patience = 15 * time.Second

// maxMessage is the limit of the servers under test.
const maxMessage = 64 << 10

// site is one connect.Server over HTTP/2, by this package or by connecthttp.
type site struct {
	url    string
	client *http.Client
	direct atomic.Int64 // calls that this package took
}

// start serves until the test ends.
func start(tb testing.TB, direct bool) *site {
	tb.Helper()
	s := &site{}
	calls := connect.NewServer()
	diagnosticsv1connect.RegisterDiagnosticsServiceHandler(calls, rpc.Diagnostics{})
	calls.Register(oddMethods()...)
	codecs := []connect.Codec{connectproto.NewBinaryCodec(), connectproto.NewJSONCodec()}
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls, connecthttp.WithReadMaxBytes(maxMessage), connecthttp.WithCompressors(&compress.Gzip{}), connecthttp.WithCodecs(codecs...))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	hs := &http.Server{Handler: mux, Protocols: protocols}
	opts := h2.Options{}
	if direct {
		opts.Direct = grpc.New(grpc.Options{Calls: calls, Codecs: codecs, Compressors: []connect.Compressor{&compress.Gzip{}}, MaxMessageBytes: maxMessage,
			Begin: func(stream *h2.Stream) (context.Context, bool) {
				s.direct.Add(1)
				return stream.Context(), true
			}})
	}
	if _, err := h2.Configure(hs, opts); err != nil {
		tb.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(l) }()
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	s.url, s.client = "http://"+l.Addr().String(), &http.Client{Transport: transport, Timeout: patience}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = hs.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("Serve: %v", err)
		}
	})
	return s
}

// oddMethods do what no service of ours does.
func oddMethods() []connect.Method {
	unary := func(name string, f func(ctx context.Context, info *connect.CallInfo, req *diagnosticsv1.UppercaseRequest) error) connect.Method {
		return connect.Method{Spec: connect.Spec{Procedure: "/test.Odd/" + name, StreamType: connect.StreamTypeUnary}, Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var req diagnosticsv1.UppercaseRequest
			if err := stream.Receive(&req); err != nil {
				return err
			}
			info, _ := connect.CallInfoForServerContext(ctx)
			if err := f(ctx, info, &req); err != nil {
				return err
			}
			return stream.Send(&diagnosticsv1.UppercaseResponse{Result: req.GetText()})
		}}
	}
	return []connect.Method{
		unary("Echo", func(_ context.Context, info *connect.CallInfo, _ *diagnosticsv1.UppercaseRequest) error {
			for key, values := range info.RequestHeader().All() {
				if strings.HasPrefix(key, "X-Test") {
					info.ResponseHeader().SetValues(key, values)
					info.ResponseTrailer().SetValues("Trailing-"+key, values)
				}
			}
			info.ResponseHeader().Set("Content-Type", "text/plain") // not a handler's to set
			info.ResponseTrailer().Set("Grpc-Status", "7")
			return nil
		}),
		unary("Describe", func(ctx context.Context, info *connect.CallInfo, req *diagnosticsv1.UppercaseRequest) error {
			_, limited := ctx.Deadline()
			req.Text = strings.Join([]string{info.Protocol, info.Codec, info.RequestEncoding, info.ResponseEncoding, info.RequestHeader().Get("Host")[:9],
				info.RequestHeader().Get("Content-Type"), info.Spec.Procedure, map[bool]string{true: "limited"}[limited]}, " ")
			if info.ReceiveStats.Size == 0 {
				return errors.New("no size")
			}
			return nil
		}),
		unary("Fail", func(context.Context, *connect.CallInfo, *diagnosticsv1.UppercaseRequest) error {
			detail, err := connectproto.NewErrorDetail(&errdetails.RetryInfo{})
			if err != nil {
				return err
			}
			return connect.NewError(connect.CodeAborted, "100 % of it: ünïcode\nand a line").WithDetail(detail).WithCause(errors.New("secret"))
		}),
		unary("Plain", func(context.Context, *connect.CallInfo, *diagnosticsv1.UppercaseRequest) error {
			return errors.New("secret")
		}),
		unary("Remote", func(context.Context, *connect.CallInfo, *diagnosticsv1.UppercaseRequest) error {
			return connect.NewError(connect.CodeNotFound, "of another server").WithRemote()
		}),
		unary("Wait", func(ctx context.Context, _ *connect.CallInfo, _ *diagnosticsv1.UppercaseRequest) error {
			<-ctx.Done()
			return ctx.Err()
		}),
	}
}

// answer is all that a caller sees.
type answer struct {
	Status          int
	Header, Trailer http.Header
	Messages        []string
}

// envelope is a message as it goes over the wire.
func envelope(flags byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
}

func packed(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func encode(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	p, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// call sends a request; a body that is read in parts goes in frames of its own.
func (s *site) call(tb testing.TB, procedure string, body io.Reader, header ...string) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.url+procedure, io.NopCloser(body)) // of no known length
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Content-Type" {
			req.Header.Set(header[i], header[i+1])
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("%s: %v", procedure, err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Trailer: res.Trailer}
	a.Header.Del("Date")
	if a.Header.Get("Grpc-Encoding") == "" {
		a.Header.Del("Grpc-Encoding") // connecthttp sends an empty one
	}
	unpack := &compress.Gzip{}
	for len(all) >= 5 {
		n := 5 + int(binary.BigEndian.Uint32(all[1:]))
		if n > len(all) {
			break // not of gRPC
		}
		message := all[5:n]
		if all[0] == 1 {
			r, err := unpack.Decompress(bytes.NewReader(message))
			if err != nil {
				tb.Fatal(err)
			}
			message, _ = io.ReadAll(r)
			_ = r.Close()
		}
		a.Messages = append(a.Messages, string(all[:1])+string(message))
		all = all[n:]
	}
	return a
}

// inParts gives a few bytes at a time, in no more than a hundred parts.
type inParts struct {
	p    []byte
	each int
}

func (r *inParts) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.p[:min(r.each, len(r.p))])
	r.p = r.p[n:]
	return n, nil
}

// TestAsConnectHTTP makes every call by this package and by connecthttp, and
// compares all that the caller sees. Texts are compared where they are not the
// transport's own.
func TestAsConnectHTTP(t *testing.T) {
	own, other := start(t, true), start(t, false)
	const diagnostics = "/diagnostics.v1.DiagnosticsService/"
	f := func(name, procedure string, body []byte, ownText bool, header ...string) {
		t.Helper()
		for _, parts := range []bool{false, true} {
			send := func(s *site) answer {
				if parts {
					return s.call(t, procedure, &inParts{body, max(7, len(body)/100)}, header...)
				}
				return s.call(t, procedure, bytes.NewReader(body), header...)
			}
			before := own.direct.Load()
			got, want := send(own), send(other)
			if own.direct.Load() != before+1 {
				t.Errorf("%s: the call went another way", name)
			}
			if ownText {
				got.Trailer.Del("Grpc-Message")
				want.Trailer.Del("Grpc-Message")
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s (in parts: %v):\n got %+v\nwant %+v", name, parts, got, want)
			}
		}
	}
	text := encode(t, &diagnosticsv1.UppercaseRequest{Text: "vital signs"})
	one := envelope(0, text)
	long := encode(t, &diagnosticsv1.UppercaseRequest{Text: strings.Repeat("long ", 10_000)})
	f("unary", diagnostics+"Uppercase", one, false)
	f("in JSON", diagnostics+"Uppercase", envelope(0, []byte(`{"text":"a"}`)), false, "Content-Type", "application/grpc+json")
	f("proto by its name", diagnostics+"Uppercase", one, false, "Content-Type", "application/grpc+proto")
	f("compressed", diagnostics+"Uppercase", envelope(1, packed(text)), false, "Grpc-Encoding", "gzip")
	f("compressed by choice", diagnostics+"Uppercase", one, false, "Grpc-Encoding", "gzip")
	f("an answer compressed", diagnostics+"Uppercase", one, false, "Grpc-Accept-Encoding", "br, gzip")
	f("identity", diagnostics+"Uppercase", one, false, "Grpc-Encoding", "identity", "Grpc-Accept-Encoding", "identity")
	f("an encoding that there is not", diagnostics+"Uppercase", one, true, "Grpc-Encoding", "br")
	f("compressed and not said so", diagnostics+"Uppercase", envelope(1, packed(text)), true)
	f("not compressed and said so", diagnostics+"Uppercase", envelope(1, text), true, "Grpc-Encoding", "gzip")
	f("flags of no meaning", diagnostics+"Uppercase", envelope(2, text), true)
	f("a long message", diagnostics+"Uppercase", envelope(0, long), false)
	f("the longest and one more", diagnostics+"Uppercase", envelope(0, make([]byte, maxMessage+1)), true)
	f("a bomb", diagnostics+"Uppercase", envelope(1, packed(make([]byte, 10*maxMessage))), true, "Grpc-Encoding", "gzip")
	f("no message", diagnostics+"Uppercase", nil, true)
	f("two messages", diagnostics+"Uppercase", slices.Concat(one, one), true)
	f("half a prefix", diagnostics+"Uppercase", one[:3], true)
	f("half a message", diagnostics+"Uppercase", one[:8], true)
	f("the empty message", diagnostics+"Uppercase", envelope(0, nil), false)
	f("the empty message, compressed", diagnostics+"Uppercase", envelope(1, nil), false, "Grpc-Encoding", "gzip")
	f("no message of protobuf", diagnostics+"Uppercase", envelope(0, []byte{0xff, 0xff}), true)
	f("metadata", "/test.Odd/Echo", one, false, "X-Test", "a", "X-Test", "b", "X-Test-Bin", "AAEC", "X-Test-Empty", "")
	f("what a handler is told", "/test.Odd/Describe", one, false, "Grpc-Encoding", "gzip", "Grpc-Timeout", "1M")
	f("an error with details", "/test.Odd/Fail", one, false)
	f("an error of no code", "/test.Odd/Plain", one, false)
	f("an error of another server", "/test.Odd/Remote", one, false)
	f("a timeout", "/test.Odd/Wait", one, false, "Grpc-Timeout", "20m")
	for _, timeout := range []string{"5", "x", "1x", "123456789n", "-1S", "1 S"} {
		f("the timeout "+timeout, diagnostics+"Uppercase", one, true, "Grpc-Timeout", timeout)
	}
	f("a timeout for ever", diagnostics+"Uppercase", one, false, "Grpc-Timeout", "99999999H")
	f("server's stream", diagnostics+"CountUp", envelope(0, encode(t, &diagnosticsv1.CountUpRequest{To: 300})), false)
	f("server's stream, compressed", diagnostics+"CountUp", envelope(0, encode(t, &diagnosticsv1.CountUpRequest{To: 3})), false, "Grpc-Accept-Encoding", "gzip")
	f("server's stream of two requests", diagnostics+"CountUp", slices.Concat(one, one), true)
	number := envelope(0, encode(t, &diagnosticsv1.SumRequest{Number: 7}))
	f("client's stream", diagnostics+"Sum", slices.Repeat(number, 50), false)
	f("client's stream of nothing", diagnostics+"Sum", nil, false)
	f("client's stream cut short", diagnostics+"Sum", number[:6], true)
}

// TestElsewhere leaves to the http.Handler what is not plain.
func TestElsewhere(t *testing.T) {
	s := start(t, true)
	f := func(procedure string, wantStatus int, header ...string) {
		t.Helper()
		before := s.direct.Load()
		if a := s.call(t, procedure, strings.NewReader("{}"), header...); a.Status != wantStatus {
			t.Errorf("%s %q: %d, want %d", procedure, header, a.Status, wantStatus)
		}
		if s.direct.Load() != before {
			t.Errorf("%s %q: taken by gRPC", procedure, header)
		}
	}
	f("/diagnostics.v1.DiagnosticsService/Uppercase", http.StatusOK, "Content-Type", "application/json")
	f("/diagnostics.v1.DiagnosticsService/Uppercase", http.StatusUnsupportedMediaType, "Content-Type", "application/grpc+xml")
	f("/nothing.Here/AtAll", http.StatusNotFound)
}

// TestBothWays streams both ways: each answer comes before the next request.
func TestBothWays(t *testing.T) {
	s := start(t, true)
	client := diagnosticsv1connect.NewDiagnosticsServiceClient(connect.NewClient(connecthttp.NewTransport(s.client, s.url, connecthttp.WithGRPC())))
	stream, err := client.Echo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "", strings.Repeat("b", 20_000)} {
		if err := stream.Send(&diagnosticsv1.EchoRequest{Text: text}); err != nil {
			t.Fatal(err)
		}
		if res, err := stream.Receive(); err != nil || res.GetText() != text {
			t.Fatalf("%q: %v, %v", text, res, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if s.direct.Load() != 1 {
		t.Error("the call went another way")
	}
}

// TestLeaving lets a caller go in the middle: the handler's context ends.
func TestLeaving(t *testing.T) {
	s := start(t, true)
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/test.Odd/Wait", bytes.NewReader(envelope(0, nil)))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1
	req.Header.Set("Content-Type", "application/grpc")
	failed := make(chan error, 1)
	go func() {
		res, err := s.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		failed <- err
	}()
	for deadline := time.Now().Add(patience); s.direct.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call does not begin")
		}
	}
	leave()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// That the handler has ended too is goleak's to say, after the server's Close.
}
