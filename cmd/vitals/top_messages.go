package main

import (
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// topChoice is what the screen shows, hence what the stream shall bring.
type topChoice struct {
	// host is the one host whose every series is wanted; empty for the table of
	// all hosts.
	host string
	// id is greater for each choice.
	id uint64
}

// topFleetTypes are the metric types that the table of hosts shows.
var topFleetTypes = []string{
	metric.CPU, metric.Memory, "memory_total", metric.Disk, "disk_space_total",
	"network_receive", "network_transmit", "load1",
}

func (c topChoice) request(interval time.Duration) *monitoringv1.WatchRequest {
	sel := &monitoringv1.Selector{MetricTypes: topFleetTypes}
	if c.host != "" {
		sel = &monitoringv1.Selector{Hostnames: []string{c.host}}
	}
	req := &monitoringv1.WatchRequest{Selectors: []*monitoringv1.Selector{sel}}
	if interval > 0 {
		req.Interval = durationpb.New(interval)
	}
	return req
}

// Messages from the feed to the screen.
type (
	// topUpdate is what the stream brought.
	topUpdate struct {
		readings   []topReading
		serverTime time.Time
		received   time.Time // by our clock, when serverTime was
		dropped    uint64
		// snapshot is whether some of it may be old.
		snapshot bool
		// complete is the choice whose snapshot is complete with this; 0: none.
		complete uint64
	}
	// topLink is how the stream is.
	topLink struct {
		state linkState
		since time.Time
		err   error // why it is lost
	}
	// topPast is what was before the stream: the last minutes of the series.
	topPast struct {
		readings []topReading
		step     time.Duration // what one point stands for, from its time on
	}
	// topHosts is the server's list of hosts, or why there is none.
	topHosts struct {
		list *monitoringv1.ListHostsResponse
		err  error
	}
)

// linkState is a state of the stream.
type linkState uint8

const (
	linkConnecting linkState = iota
	linkLive
	linkLost
)

// reason says why a stream is lost, and whose words they are.
func (l topLink) reason() string {
	rpc, ok := errors.AsType[*connect.Error](l.err)
	switch {
	case l.err == nil:
		return ""
	case ok && rpc.IsRemote():
		return "server said: " + rpc.Message()
	case ok && rpc.Message() != "":
		return rpc.Message()
	}
	return l.err.Error()
}
