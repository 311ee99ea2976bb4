package rpcload

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Streams is what to subscribe to: calls by gRPC that do not end by themselves.
type Streams struct {
	Addr      string // host:port
	Procedure string // its path
	Request   []byte // the message, encoded
	Conns     int
	PerConn   int // streams on each connection
	// Header are further pairs of the request's, their names in lower case.
	Header []string
	// Each looks at a message as it comes. Streams count from 0, PerConn of them
	// to a connection; those of one connection come one after the other, those of
	// several at once.
	Each func(stream int, message []byte) error
}

// longest bounds streams, should nobody end them.
const longest = time.Hour

// Run opens all streams and takes what they send until ctx ends, which is no
// error. It is one that a stream ends before.
func (s *Streams) Run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	for i := range s.Conns {
		group.Go(func() error { return s.listen(inner, i*s.PerConn) })
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// listen has the streams of one connection, the first of which has that number.
func (s *Streams) listen(ctx context.Context, first int) error {
	load := &Load{Addr: s.Addr, Procedure: s.Procedure, Request: s.Request, Header: s.Header, Messages: endless}
	c, err := load.dialHTTP2(ctx, time.Now().Add(longest))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, c.close)()
	defer c.close()
	for i := range s.PerConn {
		a, err := c.begin()
		if err != nil {
			return err
		}
		a.check = func(_ int, message []byte) error { return s.Each(first+i, message) }
	}
	for {
		if err := c.step(); err != nil {
			return fmt.Errorf("streams from %d on: %w", first, err)
		}
	}
}
