package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

// stream is one call of Report.
type stream struct {
	call     monitoringv1connect.IngestServiceReportClientStream
	preamble []byte // the definitions that the server has
	newest   int64  // the time of the last record sent
	size     *messageSize
	largest  int // the most bytes of records in a message
	records  int // how many records those are
	cancel   context.CancelFunc
}

func (s *sender) open(ctx context.Context) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	call, err := s.server.Report(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	out := &stream{call: call, size: s.size, cancel: cancel}
	if err := out.transmit(&monitoringv1.ReportRequest{Reporter: s.reporter}); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// transmit sends one message. That the server has ended the call shows as EOF
// here; why, it says in its answer.
func (o *stream) transmit(req *monitoringv1.ReportRequest) error {
	err := o.call.Send(req)
	if !errors.Is(err, io.EOF) {
		return err
	}
	if _, answer := o.call.CloseAndReceive(); answer != nil {
		return answer
	}
	return err
}

// send sends records in as few messages as they need: one for each preamble.
func (o *stream) send(records []spool.Record) error {
	for len(records) > 0 {
		var body []byte
		preamble := records[0].Preamble
		if !bytes.Equal(preamble, o.preamble) {
			body = append(body, preamble...)
		}
		n, head := 0, len(body)
		for n < len(records) && bytes.Equal(records[n].Preamble, preamble) {
			body = append(body, records[n].Data...)
			n++
		}
		// What is spooled is encoded already; as unknown fields it goes out as
		// it is.
		req := &monitoringv1.ReportRequest{}
		req.ProtoReflect().SetUnknown(body)
		if data := len(body) - head; data > o.largest {
			o.largest, o.records = data, n
		}
		if err := o.transmit(req); err != nil {
			return o.learn(err)
		}
		o.preamble = preamble
		o.newest = records[n-1].Time
		records = records[n:]
	}
	return nil
}

// finish says that all is sent and returns the server's receipt.
func (o *stream) finish() (*monitoringv1.Receipt, error) {
	res, err := o.call.CloseAndReceive()
	return res.GetReceipt(), o.learn(err)
}

// learn takes from a stream's end how large messages may be, and returns its error.
func (o *stream) learn(err error) error {
	switch {
	case err == nil && o.largest > 0:
		o.size.grow(o.largest, time.Now())
	case tooLarge(err) && o.records > 1:
		o.size.shrink(o.largest, time.Now())
	}
	return err
}

func (o *stream) close() { o.cancel() }
