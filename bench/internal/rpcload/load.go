// Package rpcload calls a gRPC server as fast as it answers, over few
// connections with many calls at once, and looks at every answer. It speaks
// HTTP/2 by hand, so that it takes less of the machine than what it measures.
package rpcload

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sync/errgroup"
)

// Load is what to call.
type Load struct {
	Addr      string // host:port
	Procedure string // its path
	Request   []byte // the message, encoded
	Conns     int
	InFlight  int // calls at once on each connection
	// Check looks at the messages of an answer, in their order: number counts
	// from 0.
	Check func(number int, message []byte) error
	// Messages is how many an answer has.
	Messages int
	// Header are further pairs of the request's.
	Header []string
}

// Result is what was answered, all of it well.
type Result struct {
	Calls, Messages int
	Took            time.Duration
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
			defer func() { _ = c.conn.Close() }()
			err = c.run()
			results[i] = c.result
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

// conn is one connection; one goroutine does all of it.
type conn struct {
	load    *Load
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	framer  *http2.Framer
	end     time.Time
	next    uint32
	open    map[uint32]*call
	free    []*call
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	status  string // grpc-status of the block that was read last
	message string
	unseen  int // DATA that no WINDOW_UPDATE has given back
	result  Result
}

type call struct {
	seen int
	part []byte // of a message whose rest is to come
}

func (l *Load) dial(ctx context.Context, end time.Time) (*conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	c := &conn{load: l, conn: nc, in: bufio.NewReaderSize(nc, 256<<10), out: bufio.NewWriterSize(nc, 64<<10), end: end, next: 1, open: map[uint32]*call{}}
	c.framer = http2.NewFramer(c.out, c.in)
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case "grpc-status":
			c.status = f.Value
		case "grpc-message":
			c.message = f.Value
		}
	})
	_, err = c.out.WriteString(http2.ClientPreface)
	return c, errors.Join(err, nc.SetDeadline(end.Add(20*time.Second)),
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}),
		c.framer.WriteWindowUpdate(0, 1<<30))
}

func (c *conn) run() error {
	for range c.load.InFlight {
		if err := c.begin(); err != nil {
			return err
		}
	}
	for len(c.open) > 0 {
		if c.in.Buffered() == 0 {
			if err := c.out.Flush(); err != nil {
				return err
			}
		}
		f, err := c.framer.ReadFrame()
		if err != nil {
			return fmt.Errorf("after %d calls: %w", c.result.Calls, err)
		}
		if err := c.take(f); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) begin() error {
	c.block.Reset()
	pairs := append([]string{":method", "POST", ":scheme", "http", ":path", c.load.Procedure, ":authority", c.load.Addr,
		"content-type", "application/grpc", "user-agent", "grpc-go/1.85.0", "te", "trailers"}, c.load.Header...)
	for i := 0; i < len(pairs); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			return err
		}
	}
	id := c.next
	c.next += 2
	if n := len(c.free); n > 0 {
		c.open[id], c.free = c.free[n-1], c.free[:n-1]
	} else {
		c.open[id] = &call{}
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(c.load.Request))) //nolint:gosec // a request is small
	return errors.Join(
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true}),
		c.framer.WriteData(id, true, append(body, c.load.Request...)))
}

func (c *conn) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.HeadersFrame:
		c.status, c.message = "", ""
		if _, err := c.decoder.Write(f.HeaderBlockFragment()); err != nil {
			return err
		}
		if f.StreamEnded() {
			return c.answered(f.StreamID)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("stream %d was reset: %s", f.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server went away: %s %s", f.ErrCode, f.DebugData())
	}
	return nil
}

const envelope = 5

func (c *conn) data(f *http2.DataFrame) error {
	call := c.open[f.StreamID]
	if call == nil {
		return fmt.Errorf("DATA for stream %d, which is not open", f.StreamID)
	}
	p := f.Data()
	if c.unseen += len(p); c.unseen > 1<<20 {
		if err := c.framer.WriteWindowUpdate(0, uint32(c.unseen)); err != nil { //nolint:gosec // a megabyte and a frame
			return err
		}
		c.unseen = 0
	}
	if len(call.part) > 0 {
		call.part = append(call.part, p...)
		p = call.part
	}
	for len(p) >= envelope {
		n := int(binary.BigEndian.Uint32(p[1:])) + envelope
		if p[0] != 0 {
			return errors.New("a message is compressed, which was not asked for")
		}
		if len(p) < n {
			break
		}
		if err := c.load.Check(call.seen, p[envelope:n]); err != nil {
			return err
		}
		call.seen++
		p = p[n:]
	}
	call.part = append(call.part[:0], p...)
	return nil
}

func (c *conn) answered(id uint32) error {
	call := c.open[id]
	delete(c.open, id)
	switch {
	case call == nil:
		return fmt.Errorf("an answer on stream %d, which is not open", id)
	case c.status != "0":
		return fmt.Errorf("a call ended with status %q %q", c.status, c.message)
	case call.seen != c.load.Messages || len(call.part) > 0:
		return fmt.Errorf("an answer has %d messages and %d bytes more, want %d messages: %w", call.seen, len(call.part), c.load.Messages, io.ErrUnexpectedEOF)
	}
	c.result.Calls++
	c.result.Messages += call.seen
	call.seen = 0
	c.free = append(c.free, call)
	if time.Now().Before(c.end) {
		return c.begin()
	}
	return nil
}
