package agent

import (
	"context"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// maxUnkept is how many rounds that the spool did not take wait to be sent.
const maxUnkept = 10

// offer takes a round that the spool did not, to be sent at once or never.
func (s *sender) offer(round *monitoringv1.ReportRequest) {
	if round == nil {
		return
	}
	select {
	case s.unkept <- round:
	default:
	}
}

// sendUnkept sends each round that is offered over a stream of its own. The
// records of the spool, of which there are none now, go their own way.
func (s *sender) sendUnkept(ctx context.Context) {
	for {
		select {
		case round := <-s.unkept:
			if err := s.sendOnce(ctx, round); err != nil && ctx.Err() == nil {
				s.complain("samples that could not be kept on disk could not be sent either and are lost", "error", err)
			}
		case <-s.stopping.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) sendOnce(ctx context.Context, round *monitoringv1.ReportRequest) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer out.close()
	if err := out.transmit(round); err != nil {
		return err
	}
	receipt, err := out.finish()
	if err == nil {
		s.hear(receipt)
	}
	return err
}
