// Package rpcload calls an RPC server as fast as it answers, over few connections
// with many calls at once, and looks at every answer. It speaks HTTP/2 and
// HTTP/1.1 by hand, so that it takes less of the machine than what it measures.
package rpcload

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// Protocol is how calls are framed.
type Protocol int

// The protocols. Of Connect it is the unary one.
const (
	GRPC Protocol = iota
	GRPCWeb
	Connect
)

// Load is what to call.
type Load struct {
	Addr      string // host:port
	Procedure string // its path
	Protocol  Protocol
	// JSON says that messages are JSON rather than protobuf.
	JSON bool
	// HTTP1 is HTTP/1.1 with keep-alive, one call after the other on each
	// connection; otherwise it is HTTP/2 with prior knowledge.
	HTTP1   bool
	Request []byte // the message, encoded
	Conns   int
	// InFlight is how many calls are made at once on each connection of HTTP/2.
	InFlight int
	// Check looks at the messages of an answer, in their order: number counts
	// from 0. Calls of one connection are checked one after the other, those of
	// several at once.
	Check func(number int, message []byte) error
	// Messages is how many an answer has.
	Messages int
	// Header are further pairs of the request's, their names in lower case.
	Header []string
}

// Result is what was answered, all of it well.
type Result struct {
	Calls, Messages int
	Took            time.Duration
}

// caller is one connection that makes calls until their time is over.
type caller interface {
	run() error
	made() Result
	close()
}

// Run calls until the time is over; calls that have begun then are finished.
func (l *Load) Run(ctx context.Context, d time.Duration) (Result, error) {
	start := time.Now()
	end := start.Add(d)
	results := make([]Result, l.Conns)
	group, ctx := errgroup.WithContext(ctx)
	for i := range l.Conns {
		group.Go(func() error {
			c, err := l.dial(ctx, end)
			if err != nil {
				return err
			}
			defer c.close()
			err = c.run()
			results[i] = c.made()
			return err
		})
	}
	err := group.Wait()
	sum := Result{Took: time.Since(start)}
	for _, r := range results {
		sum.Calls += r.Calls
		sum.Messages += r.Messages
	}
	return sum, err
}

func (l *Load) dial(ctx context.Context, end time.Time) (caller, error) {
	if l.HTTP1 {
		return l.dialHTTP1(ctx, end)
	}
	return l.dialHTTP2(ctx, end)
}
