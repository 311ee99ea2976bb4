package simulate

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

// Prepared is what a host will send, encoded beforehand, so that the measuring
// of a server does not measure the making up of values.
type Prepared struct {
	// Samples is how many samples there are.
	Samples uint64

	host     *Host
	interval time.Duration
	messages [][]byte
	counts   []uint64 // samples in each message
}

// Prepare encodes the host's next so many rounds from a time in milliseconds on,
// so many to a message.
func (h *Host) Prepare(from int64, interval time.Duration, rounds, perMessage int) (*Prepared, error) {
	p := &Prepared{host: h, interval: interval}
	for rounds > 0 {
		req := &monitoringv1.ReportRequest{}
		n := uint64(0)
		for range min(rounds, perMessage) {
			round := h.Round(from)
			n += uint64(len(round.Values))
			req.Samples = append(req.Samples, round)
			from += interval.Milliseconds()
		}
		rounds -= len(req.Samples)
		body, err := proto.Marshal(req)
		if err != nil {
			return nil, err
		}
		p.messages, p.counts = append(p.messages, body), append(p.counts, n)
		p.Samples += n
	}
	return p, nil
}

// Send sends all of it, so many messages to a stream, and waits for each
// stream's acknowledgement before the next. It fails when the server refuses a
// sample.
func (p *Prepared) Send(ctx context.Context, server monitoringv1connect.IngestServiceClient, perStream int) error {
	r := &reporter{simulation: &simulation{Options: Options{Interval: p.interval, Counts: &Counts{}}}, host: p.host, server: server}
	for i := 0; i < len(p.messages); i += perStream {
		if err := r.open(ctx); err != nil {
			return err
		}
		for j := i; j < min(i+perStream, len(p.messages)); j++ {
			// As unknown fields, what is encoded goes out as it is.
			req := &monitoringv1.ReportRequest{}
			req.ProtoReflect().SetUnknown(p.messages[j])
			if err := r.transmit(req); err != nil {
				return err
			}
			r.sent += p.counts[j]
		}
		if err := r.acknowledge(); err != nil {
			return err
		}
	}
	return nil
}
