package server_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// dial connects grpc-go.
func dial(t *testing.T, srv *servertest.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(srv.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestHealthz(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	f := func(path string, want int, text string) {
		t.Helper()
		eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
			t.Helper()
			got := send(t, c, http.MethodGet, srv.URL+path, "")
			if got.status != want || !strings.Contains(got.body, text) {
				t.Errorf("%s: %d %q, want %d with %q", path, got.status, got.body, want, text)
			}
			if head := send(t, c, http.MethodHead, srv.URL+path, ""); head.status != want {
				t.Errorf("HEAD %s: %d", path, head.status)
			}
		})
	}
	f("/healthz", 200, "ok") // alive, though with nothing to tell yet
	f("/readyz", 503, "collector: no sample has been taken yet")
	srv.Seed()
	f("/healthz", 200, "ok")
	f("/readyz", 200, "ok")
}

func TestReadyzWhileStopping(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{ShutdownTimeout: time.Minute})
	conn, _ := halfSent(t, srv) // holds the drain open
	srv.Stop()
	servertest.Eventually(t, "the stop has begun", func() bool { return len(srv.Log.Lines("msg=stopping")) == 1 })
	// No connection is taken any more, so the handler itself is asked.
	servertest.Eventually(t, "/readyz says so", func() bool {
		w := &recorded{header: http.Header{}}
		here := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})) // who may know why
		req, err := http.NewRequestWithContext(here, http.MethodGet, "/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		srv.Handler().ServeHTTP(w, req)
		return w.status == 503 && strings.Contains(w.body, "the server is stopping")
	})
	_ = conn.Close()
}

type recorded struct {
	header http.Header
	status int
	body   string
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(p []byte) (int, error) { r.body += string(p); return len(p), nil }

func TestGRPCHealthCheck(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	c := grpc_health_v1.NewHealthClient(dial(t, srv))
	f := func(service string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		res, err := c.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || res.GetStatus() != want {
			t.Errorf("Check(%q) = %v, %v; want %v", service, res, err, want)
		}
	}
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	f("", not)
	f("collector", not)
	f("api", serving)
	srv.Seed()
	for _, service := range []string{"", "vitals", "api", "collector", "live", "monitoring.MonitoringService"} {
		f(service, serving)
	}
	_, err := c.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "nothing"})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("unknown service: %v", err)
	}

	list, err := c.List(t.Context(), &grpc_health_v1.HealthListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"", "api", "collector", "live", "monitoring.MonitoringService"} {
		if list.GetStatuses()[service].GetStatus() != serving {
			t.Errorf("List: %q is %v", service, list.GetStatuses()[service])
		}
	}
	// The same by curl.
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		got := send(t, c, http.MethodPost, srv.URL+"/grpc.health.v1.Health/Check", `{"service":"api"}`, asJSON)
		if got.status != 200 || got.body != `{"status":"SERVING"}` {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

func TestGRPCHealthWatch(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{ShutdownTimeout: time.Minute})
	c := grpc_health_v1.NewHealthClient(dial(t, srv))
	watch := func(service string) func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
		t.Cleanup(cancel)
		stream, err := c.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return func() (string, error) {
			res, err := stream.Recv()
			return res.GetStatus().String(), err
		}
	}
	next, unknown := watch("collector"), watch("nothing")
	if got, err := unknown(); got != "SERVICE_UNKNOWN" {
		t.Errorf("a service that there is not: %s, %v", got, err)
	}
	if got, err := next(); got != "NOT_SERVING" {
		t.Errorf("before a sample: %s, %v", got, err)
	}
	srv.Seed()
	if got, err := next(); got != "SERVING" {
		t.Errorf("after a sample: %s, %v", got, err)
	}
	srv.Stop()
	got, err := next()
	if err == nil && got == "NOT_SERVING" { // it may or may not be told before the stream ends
		_, err = next()
	}
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "the server is stopping") {
		t.Errorf("stopping: %s, %v", got, err)
	}
	if err := srv.Wait(); err != nil {
		t.Error(err)
	}
}

func TestReflection(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	conn := dial(t, srv)
	want := []string{"grpc.health.v1.Health", "monitoring.MonitoringService"}
	check := func(version string, names []string, file [][]byte, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", version, err)
			return
		}
		for _, name := range want {
			if !slices.Contains(names, name) {
				t.Errorf("%s lists %q, without %s", version, names, name)
			}
		}
		if len(file) == 0 || !strings.Contains(string(file[0]), "StreamMetrics") {
			t.Errorf("%s: no descriptor of the classic service", version)
		}
	}
	names, file, err := reflectV1(t.Context(), conn)
	check("v1", names, file, err)
	names, file, err = reflectV1Alpha(t.Context(), conn)
	check("v1alpha", names, file, err)
}

func reflectV1(ctx context.Context, conn *grpc.ClientConn) (names []string, file [][]byte, err error) {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, nil, err
	}
	list := &grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}
	symbol := &grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "monitoring.MonitoringService"}}
	for _, req := range []*grpc_reflection_v1.ServerReflectionRequest{list, symbol} {
		if err := stream.Send(req); err != nil {
			return nil, nil, err
		}
		res, err := stream.Recv()
		if err != nil {
			return nil, nil, err
		}
		for _, s := range res.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
		file = append(file, res.GetFileDescriptorResponse().GetFileDescriptorProto()...)
	}
	return names, file, stream.CloseSend()
}

//nolint:staticcheck // old tools speak v1alpha, so it is tested
func reflectV1Alpha(ctx context.Context, conn *grpc.ClientConn) (names []string, file [][]byte, err error) {
	stream, err := grpc_reflection_v1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, nil, err
	}
	list := &grpc_reflection_v1alpha.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1alpha.ServerReflectionRequest_ListServices{}}
	symbol := &grpc_reflection_v1alpha.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1alpha.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "monitoring.MonitoringService"}}
	for _, req := range []*grpc_reflection_v1alpha.ServerReflectionRequest{list, symbol} {
		if err := stream.Send(req); err != nil {
			return nil, nil, err
		}
		res, err := stream.Recv()
		if err != nil {
			return nil, nil, err
		}
		for _, s := range res.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
		file = append(file, res.GetFileDescriptorResponse().GetFileDescriptorProto()...)
	}
	return names, file, stream.CloseSend()
}
