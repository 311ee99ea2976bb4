package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/client/balance"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/store"
)

// startServer starts a server that has measured memory and disk of server01.
func startServer() (address string, stop func()) {
	dir, err := os.MkdirTemp("", "vitals")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv, err := server.New(ctx, server.Options{Hostname: "server01", Logger: slog.New(slog.DiscardHandler), History: store.Options{Dir: dir}})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now().UnixMilli()
	err = srv.Report(ctx, []metric.Sample{
		{Series: metric.NewSeries(metric.Memory, "server01", nil), Time: now, Value: 3.5},
		{Series: metric.NewSeries(metric.Disk, "server01", nil), Time: now, Value: 120},
	})
	if err != nil {
		log.Fatal(err)
	}
	listeners, err := listen.Open(ctx, listen.Options{Addresses: []string{"127.0.0.1:0"}})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Run(ctx, listeners...)
	}()
	return listeners[0].Addr().String(), func() {
		cancel()
		<-done
		_ = srv.Close()
		_ = os.RemoveAll(dir)
	}
}

func Example() {
	address, stop := startServer()
	defer stop()

	c, err := client.New(address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	res, err := c.Monitoring().GetMetric(context.Background(), &monitoring.MetricRequest{MetricType: "memory"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.GetHostname(), res.GetMetricType(), res.GetValue(), res.GetUnit())
	// Output: server01 memory 3.5 GB
}

// An error's code tells what went wrong, its message what to do about it.
func Example_errors() {
	address, stop := startServer()
	defer stop()

	c, err := client.New(address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Monitoring().GetMetric(context.Background(), &monitoring.MetricRequest{Hostname: "server10"})
	fmt.Println(connect.CodeOf(err) == connect.CodeNotFound)
	fmt.Println(err)
	// Output:
	// true
	// not_found: host "server10" is not known; nearest: server01
}

func ExampleClient_Monitoring() {
	address, stop := startServer()
	defer stop()

	c, err := client.New(address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	stream, err := c.Monitoring().StreamMetrics(context.Background(), &monitoring.MetricRequest{MetricType: "disk"})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for range 2 { // there would be ten, one a second
		res, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.GetValue(), res.GetUnit())
	}
	// Output:
	// 120 GB
	// 120 GB
}

func ExampleNew() {
	for _, target := range []string{"localhost:50051", "https://vitals.example.com/", "ftp://example.com"} {
		c, err := client.New(target)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(c.Target())
		c.Close()
	}
	// Output:
	// http://localhost:50051
	// https://vitals.example.com
	// server "ftp://example.com" is neither a URL such as https://vitals.example.com nor an address such as localhost:50051, nor unix:/path, dns:///name:port or srv:///_service._tcp.name
}

func ExampleWithProtocol() {
	address, stop := startServer()
	defer stop()

	for _, protocol := range []client.Protocol{client.Connect, client.GRPC, client.GRPCWeb} {
		c, err := client.New(address, client.WithProtocol(protocol))
		if err != nil {
			log.Fatal(err)
		}
		res, err := c.Monitoring().CheckHealth(context.Background(), &monitoring.HealthRequest{Service: "api"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", protocol, res.GetMessage())
		c.Close()
	}
	// Output:
	// connect: Service api is running
	// grpc: Service api is running
	// grpcweb: Service api is running
}

func ExampleParseProtocol() {
	_, err := client.ParseProtocol("soap")
	fmt.Println(err)
	// Output: protocol "soap" is none of connect, grpc and grpcweb
}

// Reads by GET can be answered by any HTTP cache on the way.
func ExampleWithGet() {
	address, stop := startServer()
	defer stop()

	c, err := client.New(address, client.WithGet(), client.WithJSON())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	res, err := c.Monitoring().CheckHealth(context.Background(), &monitoring.HealthRequest{Service: "live"})
	fmt.Println(res.GetMessage(), err)
	// Output: Service live is running <nil>
}

// Several servers: calls go to one that is well, and what may be repeated goes to
// another one when that fails.
func ExampleNewBalanced() {
	address, stop := startServer()
	defer stop()

	down := "localhost:1" // where nobody listens
	c, err := client.NewBalanced([]string{down, address}, client.WithPolicy(balance.First))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	res, err := c.Monitoring().GetMetric(context.Background(), &monitoring.MetricRequest{MetricType: "memory"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.GetValue(), res.GetUnit())
	for _, s := range c.Servers() {
		fmt.Println(s.Well)
	}
	// Output:
	// 3.5 GB
	// false
	// true
}

// Live samples, whatever happens to the stream or its server.
func ExampleClient_Follow() {
	address, stop := startServer()
	defer stop()

	c, err := client.New(address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	disks := &monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{{MetricTypes: []string{"disk"}}}}
	for batch, err := range c.Follow(context.Background(), disks) {
		if err != nil {
			log.Fatal(err)
		}
		for _, sample := range batch.Samples {
			fmt.Println(sample.Series, sample.Value)
		}
		break // or go on for ever
	}
	// Output: disk{hostname="server01"} 120
}

// The options of a client that talks to a proxy in front of the server.
func ExampleWithHeader() {
	c, err := client.New("https://vitals.example.com",
		client.WithHeader("Authorization", "Bearer "+os.Getenv("TOKEN")),
		client.WithTimeout(3*time.Second),
		client.WithRetry(5),
		client.WithGzip(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.Target())
	// Output: https://vitals.example.com
}

// A server that is reached by a Unix socket: the client's own way to dial.
func ExampleWithRoundTripper() {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/run/vitals.sock")
	}
	c, err := client.New("http://vitals", client.WithRoundTripper(&http.Transport{DialContext: dial}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.Target())
	// Output: http://vitals
}
