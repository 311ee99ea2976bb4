package server_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// TestCustomMetric pushes a metric as the README has it, and then asks for it in
// every way that a built-in one is asked for.
func TestCustomMetric(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/monitoring.v1.IngestService/ReportBatch",
		`{"hostname":"web-1","samples":[{"metricType":"queue_depth","value":7,"unit":"jobs","help":"Mails that wait.","labels":{"queue":"mail"}}]}`, asJSON)
	if got.status != http.StatusOK || !strings.Contains(got.body, `"stored":"1"`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got = send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, `{"hostname":"web-1","metricType":"queue_depth"}`, asJSON)
	if !strings.Contains(got.body, `"value":7`) || !strings.Contains(got.body, `"unit":"jobs"`) {
		t.Errorf("GetMetric: %s", got.body)
	}
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn)
		hosts, err := c.Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: "web"})
		if err != nil || len(hosts.GetHosts()) != 1 || hosts.GetHosts()[0].GetStatus() != monitoringv1.HostStatus_HOST_STATUS_UP {
			t.Errorf("ListHosts: %v, %v", hosts, err)
		}
		metrics, err := c.Query().ListMetrics(t.Context(), &monitoringv1.ListMetricsRequest{Hostname: "web-1"})
		if err != nil || len(metrics.GetMetrics()) != 1 {
			t.Fatalf("ListMetrics: %v, %v", metrics, err)
		}
		m := metrics.GetMetrics()[0]
		if m.GetName() != "queue_depth" || m.GetUnit() != "jobs" || m.GetHelp() != "Mails that wait." || m.GetBuiltIn() || strings.Join(m.GetLabels(), ",") != "queue" {
			t.Errorf("ListMetrics: %v", m)
		}
		res, err := c.Query().QueryPromQL(t.Context(), &monitoringv1.QueryPromQLRequest{Query: `queue_depth{queue="mail"} * 2`})
		if err != nil || len(res.GetSeries()) != 1 || res.GetSeries()[0].GetValues()[0] != 14 {
			t.Errorf("QueryPromQL: %v, %v", res, err)
		}
		history, err := c.Query().QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: `queue_depth{hostname="web-1"}`})
		if err != nil || len(history.GetSeries()) != 1 || history.GetSeries()[0].GetMaxima()[0] != 7 || history.GetSeries()[0].GetSeries().GetUnit() != "jobs" {
			t.Errorf("QueryRange: %v, %v", history, err)
		}
	})
}

func TestQueryRangeKeepsSpikes(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	c := srv.Client(servertest.Connection{})
	begin := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	req := &monitoringv1.ReportBatchRequest{Hostname: "web-1"}
	for i := range 7200 {
		value := 10.0
		if i == 4321 {
			value = 99
		}
		req.Samples = append(req.Samples, &monitoringv1.CustomSample{MetricType: "cpu", Value: value, Time: timestamppb.New(begin.Add(time.Duration(i) * time.Second))})
	}
	if _, err := c.Ingest().ReportBatch(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	res, err := c.Query().QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{
		Selector: "cpu", Start: timestamppb.New(begin), End: timestamppb.New(begin.Add(2 * time.Hour)), MaxPoints: 20,
	})
	if err != nil || len(res.GetSeries()) != 1 {
		t.Fatalf("%v, %v", res, err)
	}
	s := res.GetSeries()[0]
	n, total, peak := len(s.GetTimes()), uint64(0), 0.0
	for i := range n {
		total += s.GetCounts()[i]
		peak = math.Max(peak, s.GetMaxima()[i])
		if s.GetMinima()[i] != 10 || s.GetAverages()[i] > 11 {
			t.Errorf("point %d: %v %v %v", i, s.GetMinima()[i], s.GetAverages()[i], s.GetMaxima()[i])
		}
	}
	if n > 20 || total != 7200 || peak != 99 {
		t.Errorf("%d points of %d samples with a peak of %v; want at most 20 of 7200 with 99", n, total, peak)
	}
	if res.GetStep().AsDuration() < 5*time.Minute {
		t.Errorf("a point stands for %v", res.GetStep().AsDuration())
	}
}

func TestQueryErrors(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		q := srv.Client(conn).Query()
		promql := func(req *monitoringv1.QueryPromQLRequest, code connect.Code, texts ...string) {
			t.Helper()
			_, err := q.QueryPromQL(t.Context(), req)
			wantError(t, err, code, texts...)
		}
		now := timestamppb.Now()
		promql(&monitoringv1.QueryPromQLRequest{}, connect.CodeInvalidArgument, "query")
		promql(&monitoringv1.QueryPromQLRequest{Query: "sum(cpu) +\n foo{bar=}"}, connect.CodeInvalidArgument, "line 2, column 10")
		promql(&monitoringv1.QueryPromQLRequest{Query: `abs({hostname="server01"})`}, connect.CodeInvalidArgument, "cannot be evaluated", "same labelset")
		promql(&monitoringv1.QueryPromQLRequest{Query: "cpu", Start: now, Step: durationpb.New(-1)}, connect.CodeInvalidArgument, "step")
		promql(&monitoringv1.QueryPromQLRequest{Query: "cpu", Start: timestamppb.New(now.AsTime().Add(-30 * 24 * time.Hour)), Step: durationpb.New(time.Second)},
			connect.CodeResourceExhausted, "points", "step")
		promql(&monitoringv1.QueryPromQLRequest{Query: "sum_over_time(load1[100y:1ms])"}, connect.CodeResourceExhausted, "steps of subqueries", "line 1, column 15", "longer step")
		promql(&monitoringv1.QueryPromQLRequest{Query: strings.Repeat("label_join(", 50) + "cpu" + strings.Repeat(`,"a","","hostname","a","a")`, 50)},
			connect.CodeResourceExhausted, "add to labels", "line 1, column")
		promql(&monitoringv1.QueryPromQLRequest{Query: "cpu", Time: &timestamppb.Timestamp{Seconds: 253402300799}}, connect.CodeInvalidArgument, "time", "2262")

		_, err := q.QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: "cpu{"})
		wantError(t, err, connect.CodeInvalidArgument, "line 1")
		for _, selector := range []string{"{}", `{hostname=""}`, `{hostname!="server01"}`, `cpu{__name__="memory"}`, "cpu[5m]", "sum(cpu)"} {
			_, err = q.QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: selector})
			wantError(t, err, connect.CodeInvalidArgument, "line 1, column", "near")
		}
		_, err = q.QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: "cpu", Start: now, End: timestamppb.New(now.AsTime().Add(-time.Hour))})
		wantError(t, err, connect.CodeInvalidArgument, "before the start")
		year1960 := timestamppb.New(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC))
		if res, err := q.QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: "cpu", Start: year1960, MaxPoints: 1}); err != nil || len(res.GetSeries()) == 0 || len(res.GetSeries()[0].GetTimes()) != 1 {
			t.Errorf("since 1960 in one point: %v, %v", res, err)
		}
		_, err = q.ListMetrics(t.Context(), &monitoringv1.ListMetricsRequest{Hostname: "serverO1"})
		wantError(t, err, connect.CodeNotFound, "serverO1", "server01")
	})
}

func TestReport(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		at := time.Now().Add(-time.Minute).Truncate(time.Second)
		send := func() *monitoringv1.Receipt {
			t.Helper()
			stream, err := srv.Client(conn).Ingest().Report(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			first := &monitoringv1.ReportRequest{
				Reporter: &monitoringv1.Reporter{Hostname: conn.Name, Os: "plan9", Tags: map[string]string{"env": "test"}, Interval: durationpb.New(time.Second)},
				Series: []*monitoringv1.SeriesDefinition{
					{Id: 0, Series: &monitoringv1.Series{MetricType: "cpu"}},
					{Id: 1, Series: &monitoringv1.Series{MetricType: "no good"}},
				},
			}
			second := &monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{
				{Time: timestamppb.New(at), SeriesIds: []uint32{0, 1, 2}, Values: []float64{5, 6, 7}},
				{Time: timestamppb.New(at.Add(time.Second)), SeriesIds: []uint32{0}, Values: []float64{8}},
				{Time: timestamppb.New(at.Add(time.Hour)), SeriesIds: []uint32{0}, Values: []float64{9}},
				{Time: timestamppb.New(at.Add(2 * time.Second)), SeriesIds: []uint32{0}, Values: []float64{math.NaN()}},
			}}
			for _, req := range []*monitoringv1.ReportRequest{first, second} {
				if err := stream.Send(req); err != nil {
					t.Fatal(err)
				}
			}
			res, err := stream.CloseAndReceive()
			if err != nil {
				t.Fatal(err)
			}
			return res.GetReceipt()
		}
		r := send()
		if r.GetStored() != 2 || r.GetDuplicates() != 0 || r.GetRejected() != 4 {
			t.Errorf("receipt %v", r)
		}
		reasons := ""
		for _, rej := range r.GetRejections() {
			reasons += rej.GetReason() + "\n"
		}
		for _, text := range []string{`try "no_good"`, "not defined", "ahead of the server's clock", "not a finite number"} {
			if !strings.Contains(reasons, text) {
				t.Errorf("no reason says %q:\n%s", text, reasons)
			}
		}
		// Sent again after a failure, it does no harm.
		if r := send(); r.GetStored() != 0 || r.GetDuplicates() != 2 {
			t.Errorf("receipt of the same again: %v", r)
		}
		res, err := srv.Client(conn).Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: conn.Name})
		if err != nil || len(res.GetHosts()) != 1 || res.GetHosts()[0].GetOs() != "plan9" || res.GetHosts()[0].GetTags()["env"] != "test" {
			t.Errorf("ListHosts: %v, %v", res, err)
		}
	})
}

func TestReportNeedsReporter(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	f := func(first *monitoringv1.ReportRequest, code connect.Code, text string) {
		t.Helper()
		stream, err := srv.Client(servertest.Connection{}).Ingest().Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(first) // the answer tells
		_, err = stream.CloseAndReceive()
		wantError(t, err, code, text)
	}
	f(&monitoringv1.ReportRequest{}, connect.CodeInvalidArgument, "first message")
	f(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{}}, connect.CodeInvalidArgument, "hostname")
	f(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: "a\nb"}}, connect.CodeInvalidArgument, "printable")
	f(&monitoringv1.ReportRequest{
		Reporter: &monitoringv1.Reporter{Hostname: "a"},
		Series:   []*monitoringv1.SeriesDefinition{{Id: math.MaxUint32, Series: &monitoringv1.Series{MetricType: "cpu"}}},
	}, connect.CodeInvalidArgument, "too great")
	f(&monitoringv1.ReportRequest{
		Reporter: &monitoringv1.Reporter{Hostname: "a"},
		Samples:  []*monitoringv1.Samples{{Time: timestamppb.Now(), SeriesIds: []uint32{1, 2}, Values: []float64{1}}},
	}, connect.CodeInvalidArgument, "same number")
}

// TestReportEndsWithTheServer has a silent reporter told that the server stops.
func TestReportEndsWithTheServer(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		if !conn.HTTP2 { // HTTP/1.1 clients hear of it when they have sent all
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
		defer cancel()
		stream, err := srv.Client(conn).Ingest().Report(ctx)
		if err == nil {
			err = stream.Send(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: conn.Name}})
		}
		if err != nil {
			t.Fatal(err)
		}
		servertest.Eventually(t, "the stream is open", func() bool { return gauge(t, srv, "grpc_streams_open") >= 1 })
	})
	srv.Stop()
	select {
	case <-srv.Done():
	case <-time.After(servertest.Patience):
		t.Error("silent reporters hold up the server's end")
	}
}

func TestSystemService(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{Version: "v1.2.3"})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).System()
		info, err := c.GetSystemInfo(t.Context(), &monitoringv1.GetSystemInfoRequest{})
		if err != nil || info.GetServer() != "vitals" || info.GetVersion() != "v1.2.3" || info.GetStatus() != "running" || info.GetHostname() != servertest.Hostname || info.GetUptime().AsDuration() <= 0 || time.Since(info.GetTime().AsTime()).Abs() > time.Minute {
			t.Errorf("%v, %v", info, err)
		}
		f := func(cpu, memory []float64, want *monitoringv1.CalculateMetricsResponse) {
			t.Helper()
			got, err := c.CalculateMetrics(t.Context(), &monitoringv1.CalculateMetricsRequest{CpuUsage: cpu, MemoryUsage: memory})
			if err != nil || got.String() != want.String() {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		}
		f([]float64{10, 90}, []float64{1, 2}, &monitoringv1.CalculateMetricsResponse{AvgCpu: 50, MaxCpu: 90, AvgMemory: 1.5, Alert: true})
		f([]float64{45, 67, 89, 34, 56}, []float64{2.1, 2.3, 2.5, 2.2, 2.4}, &monitoringv1.CalculateMetricsResponse{AvgCpu: 58.2, MaxCpu: 89, AvgMemory: 2.3, Alert: true})
		f([]float64{80}, []float64{4}, &monitoringv1.CalculateMetricsResponse{AvgCpu: 80, MaxCpu: 80, AvgMemory: 4})
		_, err = c.CalculateMetrics(t.Context(), &monitoringv1.CalculateMetricsRequest{CpuUsage: []float64{1}})
		wantError(t, err, connect.CodeInvalidArgument, "memory_usage")
	})
}

// TestReadsByGet has every call without side effects answer an HTTP GET.
func TestReadsByGet(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	f := func(procedure, message string) {
		t.Helper()
		got := send(t, srv.HTTP1(), http.MethodGet, srv.URL+"/monitoring.v1."+procedure+"?encoding=json&connect=v1&message="+message, "")
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", procedure, got.status, got.body)
		}
	}
	f("QueryService/ListHosts", "%7B%7D")
	f("QueryService/ListMetrics", "%7B%7D")
	f("QueryService/QueryRange", "%7B%22selector%22:%22cpu%22%7D")
	f("QueryService/QueryPromQL", "%7B%22query%22:%22"+metric.CPU+"%22%7D")
	f("SystemService/GetSystemInfo", "%7B%7D")
}
