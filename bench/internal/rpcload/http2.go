package rpcload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// grace is how long calls may go on after the end of the load.
const grace = 20 * time.Second

// http2Conn is one connection; one goroutine does all of it.
type http2Conn struct {
	load    *Load
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	framer  *http2.Framer
	end     time.Time
	pairs   []string // of every request
	request []byte   // its body
	next    uint32
	open    map[uint32]*answer
	free    []*answer
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	current *answer // whose block is being decoded
	unseen  int     // DATA that no WINDOW_UPDATE has given back
	result  Result
}

func (l *Load) dialHTTP2(ctx context.Context, end time.Time) (*http2Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	c := &http2Conn{
		load: l, conn: nc, in: bufio.NewReaderSize(nc, 256<<10), out: bufio.NewWriterSize(nc, 64<<10), end: end, next: 1,
		open: map[uint32]*answer{}, request: l.body(),
	}
	c.pairs = append([]string{":method", "POST", ":scheme", "http", ":path", l.Procedure, ":authority", l.Addr}, l.header()...)
	c.framer = http2.NewFramer(c.out, c.in)
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.current.field(f.Name, f.Value) })
	_, err = c.out.WriteString(http2.ClientPreface)
	return c, errors.Join(err, nc.SetDeadline(end.Add(grace)),
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}),
		c.framer.WriteWindowUpdate(0, 1<<30))
}

func (c *http2Conn) close() { _ = c.conn.Close() } // nothing is under way any more

func (c *http2Conn) made() Result { return c.result }

func (c *http2Conn) run() error {
	for range c.load.InFlight {
		if _, err := c.begin(); err != nil {
			return err
		}
	}
	for len(c.open) > 0 {
		if err := c.step(); err != nil {
			return fmt.Errorf("after %d calls: %w", c.result.Calls, err)
		}
	}
	return nil
}

// step reads one frame, after everything that was written has been sent.
func (c *http2Conn) step() error {
	if c.in.Buffered() == 0 {
		if err := c.out.Flush(); err != nil {
			return err
		}
	}
	f, err := c.framer.ReadFrame()
	if err != nil {
		return err
	}
	return c.take(f)
}

// begin makes a call.
func (c *http2Conn) begin() (*answer, error) {
	c.block.Reset()
	for i := 0; i < len(c.pairs); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: c.pairs[i], Value: c.pairs[i+1]}); err != nil {
			return nil, err
		}
	}
	id := c.next
	c.next += 2
	a := &answer{load: c.load, check: c.load.Check}
	if n := len(c.free); n > 0 {
		a, c.free = c.free[n-1], c.free[:n-1]
	}
	c.open[id] = a
	return a, errors.Join(
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true}),
		c.framer.WriteData(id, true, c.request))
}

func (c *http2Conn) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.HeadersFrame:
		return c.headers(f)
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

func (c *http2Conn) headers(f *http2.HeadersFrame) error {
	if c.current = c.open[f.StreamID]; c.current == nil {
		return fmt.Errorf("HEADERS for stream %d: %w", f.StreamID, errNotOpen)
	}
	if _, err := c.decoder.Write(f.HeaderBlockFragment()); err != nil {
		return err
	}
	if f.StreamEnded() {
		return c.answered(f.StreamID)
	}
	return nil
}

func (c *http2Conn) data(f *http2.DataFrame) error {
	a := c.open[f.StreamID]
	if a == nil {
		return fmt.Errorf("DATA for stream %d: %w", f.StreamID, errNotOpen)
	}
	p := f.Data()
	if c.unseen += len(p); c.unseen > 1<<20 {
		if err := c.framer.WriteWindowUpdate(0, uint32(c.unseen)); err != nil { //nolint:gosec // a megabyte and a frame
			return err
		}
		c.unseen = 0
	}
	if err := a.data(p); err != nil {
		return err
	}
	if f.StreamEnded() {
		return c.answered(f.StreamID)
	}
	return nil
}

func (c *http2Conn) answered(id uint32) error {
	a := c.open[id]
	delete(c.open, id)
	if err := a.end(); err != nil {
		return err
	}
	c.result.Calls++
	c.result.Messages += a.seen
	a.reset()
	c.free = append(c.free, a)
	if time.Now().Before(c.end) {
		_, err := c.begin()
		return err
	}
	return nil
}
