package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/vitals-rpc/vitals/server/servertest"
)

// rawPeer speaks HTTP/2 by hand, so that it can do what no library does.
type rawPeer struct {
	t        *testing.T
	conn     net.Conn
	framer   *http2.Framer
	settings serverSettings
}

type serverSettings map[http2.SettingID]uint32

func (s serverSettings) Value(id http2.SettingID) (uint32, bool) { v, ok := s[id]; return v, ok }

// newRawPeer connects with these settings and reads the server's.
func newRawPeer(t *testing.T, srv *servertest.Server, settings ...http2.Setting) *rawPeer {
	t.Helper()
	p := &rawPeer{t: t, conn: srv.Dial(), settings: serverSettings{}}
	p.write(http2.ClientPreface)
	p.framer = http2.NewFramer(p.conn, p.conn)
	p.must(p.framer.WriteSettings(settings...))
	p.until("the server's settings", func(f http2.Frame) bool {
		sf, ok := f.(*http2.SettingsFrame)
		if !ok || sf.IsAck() {
			return false
		}
		p.must(sf.ForeachSetting(func(s http2.Setting) error { p.settings[s.ID] = s.Val; return nil }))
		p.must(p.framer.WriteSettingsAck())
		return true
	})
	return p
}

func (p *rawPeer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *rawPeer) write(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.conn, text)
	p.must(err)
}

// head sends a request's head, with pairs of further headers.
func (p *rawPeer) head(stream uint32, end bool, path string, pairs ...string) {
	p.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	pairs = append([]string{":method", "POST", ":scheme", "http", ":authority", "localhost", ":path", path}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		p.must(encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	p.must(p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end}))
}

// request sends a whole request.
func (p *rawPeer) request(stream uint32, path, contentType, body string) {
	p.t.Helper()
	p.head(stream, false, path, "content-type", contentType, "te", "trailers")
	p.must(p.framer.WriteData(stream, true, []byte(body)))
}

// until reads frames until one is wanted, answering pings.
func (p *rawPeer) until(what string, wanted func(http2.Frame) bool) {
	p.t.Helper()
	for {
		frame, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		if ping, ok := frame.(*http2.PingFrame); ok && !ping.IsAck() {
			p.must(p.framer.WritePing(true, ping.Data))
		}
		if wanted(frame) {
			return
		}
	}
}

// wantReset waits until the server has given the stream up.
func (p *rawPeer) wantReset(stream uint32) {
	p.t.Helper()
	p.until("the reset of the stream", func(f http2.Frame) bool {
		_, reset := f.(*http2.RSTStreamFrame)
		return reset && f.Header().StreamID == stream
	})
}

// wantHangup waits until the server has closed the connection.
func (p *rawPeer) wantHangup() {
	p.t.Helper()
	for {
		if _, err := p.framer.ReadFrame(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				p.t.Fatal("the server keeps the connection")
			}
			return
		}
	}
}
