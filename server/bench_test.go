package server_test

import (
	"log/slog"
	"testing"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// BenchmarkGetMetric is a call and its answer over each way, many at a time.
func BenchmarkGetMetric(b *testing.B) {
	srv := servertest.NewSeeded(b, server.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, conn := range servertest.Connections() {
		b.Run(conn.Name, func(b *testing.B) {
			c := srv.Client(conn).Monitoring()
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.GetMetric(b.Context(), &monitoringpb.MetricRequest{}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
