package server_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestKnownAnswers(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).Diagnostics()
		sum, err := c.Add(t.Context(), &diagnosticsv1.AddRequest{A: 5, B: 3})
		if err != nil || sum.GetResult() != 8 {
			t.Errorf("5 + 3: %v, %v", sum, err)
		}
		product, err := c.Multiply(t.Context(), &diagnosticsv1.MultiplyRequest{A: 4, B: 7})
		if err != nil || product.GetResult() != 28 {
			t.Errorf("4 * 7: %v, %v", product, err)
		}
		capitals, err := c.Uppercase(t.Context(), &diagnosticsv1.UppercaseRequest{Text: "hello, straße"})
		if err != nil || capitals.GetResult() != "HELLO, STRASSE" && capitals.GetResult() != "HELLO, STRAßE" {
			t.Errorf("uppercase: %v, %v", capitals, err)
		}
		_, err = c.Add(t.Context(), &diagnosticsv1.AddRequest{A: math.MaxInt32, B: 1})
		wantError(t, err, connect.CodeOutOfRange, "2147483648", "32 bits")
		_, err = c.Multiply(t.Context(), &diagnosticsv1.MultiplyRequest{A: math.MinInt32, B: -1})
		wantError(t, err, connect.CodeOutOfRange, "2147483648", "32 bits")
	})
}

func TestCountUp(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).Diagnostics()
		count := func(ctx context.Context, req *diagnosticsv1.CountUpRequest) (last uint32, err error) {
			stream, err := c.CountUp(ctx, req)
			if err != nil {
				return 0, err
			}
			for {
				res, err := stream.Receive()
				if errors.Is(err, io.EOF) {
					return last, nil
				}
				if err != nil {
					return last, err
				}
				if last++; res.GetNumber() != last {
					t.Errorf("%d in place of %d", res.GetNumber(), last)
				}
			}
		}
		if last, err := count(t.Context(), &diagnosticsv1.CountUpRequest{To: 1000}); err != nil || last != 1000 {
			t.Errorf("to 1000: %d, %v", last, err)
		}
		begin := time.Now()
		last, err := count(t.Context(), &diagnosticsv1.CountUpRequest{To: 3, Interval: durationpb.New(50 * time.Millisecond)})
		if took := time.Since(begin); err != nil || last != 3 || took < 100*time.Millisecond {
			t.Errorf("to 3, 50 ms apart: %d, %v, in %v", last, err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		last, err = count(ctx, &diagnosticsv1.CountUpRequest{To: 2, Interval: durationpb.New(time.Hour)})
		wantError(t, err, connect.CodeDeadlineExceeded)
		if last > 1 {
			t.Errorf("the second number of an hourly count came at once")
		}
		_, err = count(t.Context(), &diagnosticsv1.CountUpRequest{})
		wantError(t, err, connect.CodeInvalidArgument, "to")
		_, err = count(t.Context(), &diagnosticsv1.CountUpRequest{To: 1, Interval: durationpb.New(-1)})
		wantError(t, err, connect.CodeInvalidArgument, "interval")
	})
}

func TestSum(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		f := func(want int64, numbers ...int32) {
			t.Helper()
			stream, err := srv.Client(conn).Diagnostics().Sum(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range numbers {
				if err := stream.Send(&diagnosticsv1.SumRequest{Number: n}); err != nil {
					t.Fatal(err)
				}
			}
			res, err := stream.CloseAndReceive()
			if err != nil || res.GetResult() != want || int(res.GetCount()) != len(numbers) {
				t.Errorf("the sum of %v is %v, %v; want %d", numbers, res, err, want)
			}
		}
		f(0)
		f(6, 1, 2, 3)
		f(2*math.MaxInt32, math.MaxInt32, math.MaxInt32)
	})
}

func TestEcho(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		if !conn.HTTP2 {
			return // see TestWatchNeedsHTTP2
		}
		stream, err := srv.Client(conn).Diagnostics().Echo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "ping", strings.Repeat("é", 100_000)} {
			if err := stream.Send(&diagnosticsv1.EchoRequest{Text: text, Payload: []byte{0, 255}}); err != nil {
				t.Fatal(err)
			}
			res, err := stream.Receive() // before the next is sent
			if err != nil || res.GetText() != text || string(res.GetPayload()) != "\x00\xff" || time.Since(res.GetReceived().AsTime()).Abs() > time.Minute {
				t.Errorf("%d bytes came back as %d, %v", len(text), len(res.GetText()), err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("in the end: %v", err)
		}
	})
}

// Known answers with one curl, and by a GET that a cache could answer.
func TestKnownAnswersInJSON(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	f := func(method, path, body, want string) {
		t.Helper()
		got := send(t, srv.HTTP1(), method, srv.URL+"/diagnostics.v1.DiagnosticsService/"+path, body, asJSON)
		if got.body != want {
			t.Errorf("%s %s: %d %s, want %s", method, path, got.status, got.body, want)
		}
	}
	f(http.MethodPost, "Add", `{"a":5,"b":3}`, `{"result":8}`)
	f(http.MethodPost, "Multiply", `{"a":4,"b":7}`, `{"result":28}`)
	f(http.MethodPost, "Uppercase", `{"text":"hello"}`, `{"result":"HELLO"}`)
	f(http.MethodGet, "Add?encoding=json&connect=v1&message=%7B%22a%22:5,%22b%22:3%7D", "", `{"result":8}`)
}
