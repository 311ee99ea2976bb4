package h2_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer speaks HTTP/2 by hand, so that it can do what no library does.
type peer struct {
	s       *server
	conn    net.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	fields  []hpack.HeaderField
}

// dial connects, with these settings, and has read the server's first frame.
func (s *server) dial(settings ...http2.Setting) *peer {
	s.t.Helper()
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	p := &peer{s: s, conn: conn}
	p.encoder = hpack.NewEncoder(&p.block)
	p.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.fields = append(p.fields, f) })
	p.framer = http2.NewFramer(conn, conn)
	p.must(io.WriteString(conn, http2.ClientPreface))
	p.ok(p.framer.WriteSettings(settings...))
	p.until("the server's settings", func(f http2.Frame) bool {
		_, ok := f.(*http2.SettingsFrame)
		return ok
	})
	p.ok(p.framer.WriteSettingsAck())
	return p
}

func (p *peer) ok(err error) {
	p.s.t.Helper()
	if err != nil {
		p.s.t.Fatal(err)
	}
}

func (p *peer) must(_ int, err error) { p.s.t.Helper(); p.ok(err) }

// head sends a request's head with pairs of further headers.
func (p *peer) head(stream uint32, end bool, method, path string, pairs ...string) {
	p.s.t.Helper()
	block := p.encode(append([]string{":method", method, ":scheme", "http", ":authority", "localhost", ":path", path}, pairs...)...)
	first := block[:min(len(block), 16<<10)]
	block = block[len(first):]
	p.ok(p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0}))
	for len(block) > 0 {
		n := min(len(block), 16<<10)
		p.ok(p.framer.WriteContinuation(stream, n == len(block), block[:n]))
		block = block[n:]
	}
}

func (p *peer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.ok(p.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	return p.block.Bytes()
}

// next reads a frame; header blocks are decoded into fields.
func (p *peer) next() (http2.Frame, error) {
	f, err := p.framer.ReadFrame()
	if h, ok := f.(*http2.HeadersFrame); ok && err == nil {
		p.fields = nil
		if _, err := p.decoder.Write(h.HeaderBlockFragment()); err != nil {
			return nil, err
		}
		if err := p.decoder.Close(); err != nil { // none of our blocks is longer than a frame
			return nil, err
		}
	}
	return f, err
}

func (p *peer) until(what string, wanted func(http2.Frame) bool) {
	p.s.t.Helper()
	for {
		f, err := p.next()
		if err != nil {
			p.s.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(f) {
			return
		}
	}
}

// status waits for a stream's answer.
func (p *peer) status(stream uint32) string {
	p.s.t.Helper()
	p.until("an answer", func(f http2.Frame) bool {
		_, ok := f.(*http2.HeadersFrame)
		return ok && f.Header().StreamID == stream
	})
	return p.field(":status")
}

func (p *peer) field(name string) string {
	for _, f := range p.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// wantReset waits until the server has given the stream up.
func (p *peer) wantReset(stream uint32, code http2.ErrCode) {
	p.s.t.Helper()
	p.until("the reset of the stream", func(f http2.Frame) bool {
		r, ok := f.(*http2.RSTStreamFrame)
		if ok && r.StreamID == stream && r.ErrCode != code {
			p.s.t.Errorf("stream %d was reset with %s, want %s", stream, r.ErrCode, code)
		}
		return ok && r.StreamID == stream
	})
}

// wantGoAway waits until the server has said why, and closed the connection.
func (p *peer) wantGoAway(code http2.ErrCode, reason string) {
	p.s.t.Helper()
	var last *http2.GoAwayFrame
	var said string
	for {
		f, err := p.next()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				p.s.t.Fatal("the server keeps the connection")
			}
			break
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			last, said = g, string(g.DebugData())
		}
	}
	if last == nil || last.ErrCode != code || !strings.Contains(said, reason) {
		p.s.t.Errorf("the connection ended with %v %q, want %s and %q", last, said, code, reason)
	}
}

// wantHangup waits until the server has closed the connection.
func (p *peer) wantHangup() {
	p.s.t.Helper()
	for {
		if _, err := p.next(); errors.Is(err, os.ErrDeadlineExceeded) {
			p.s.t.Fatal("the server keeps the connection")
		} else if err != nil {
			return
		}
	}
}

// tcp opens a bare connection.
func (s *server) tcp() net.Conn {
	s.t.Helper()
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}
