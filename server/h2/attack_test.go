package h2_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/server/h2"
)

// beside runs the attack while a client that means well is served, over a
// connection of its own.
func beside(t *testing.T, s *server, attack func()) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	c := s.client()
	var served atomic.Int64
	go func() {
		defer close(done)
		for {
			res, err := c.Do(s.request("POST", "/echo", strings.NewReader("well")))
			if err != nil {
				t.Errorf("a client that means well: %v", err)
				return
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || string(body) != "well" {
				t.Errorf("a client that means well got %q, %v", body, err)
				return
			}
			served.Add(1)
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	attack()
	before := served.Load()
	s.eventually("the client that means well is served on", func() bool { return served.Load() > before })
	close(stop)
	<-done
}

// victim echoes, waits, or sends without end, by the path.
func victim(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		_, _ = io.Copy(w, r.Body)
	case "/wait":
		<-r.Context().Done()
	case "/endless":
		for chunk := make([]byte, 8<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

// flood sends until the server has had enough.
func (p *peer) flood(send func(i int) error) {
	p.s.t.Helper()
	go func() {
		for i := range 1 << 20 {
			if send(i) != nil {
				return
			}
		}
	}()
}

func TestFloods(t *testing.T) {
	odd := func(i int) uint32 { return uint32(2*i + 1) }
	f := func(name, want string, begin func(p *peer), send func(p *peer, i int) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := start(t, victim, func(hs *http.Server, _ *h2.Options) { hs.HTTP2.MaxConcurrentStreams, hs.MaxHeaderBytes = 50, 16<<10 })
			beside(t, s, func() {
				p := s.dial()
				begin(p)
				p.flood(func(i int) error { return send(p, i) })
				p.wantGoAway(http2.ErrCodeEnhanceYourCalm, want)
			})
		})
	}
	nothing := func(*peer) {}
	waiting := func(p *peer) { p.head(1, false, "POST", "/wait") }
	f("resets", "too many ", nothing, func(p *peer, i int) error {
		if err := p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: odd(i), BlockFragment: p.encode(":method", "GET", ":scheme", "http", ":path", "/wait"), EndHeaders: true}); err != nil {
			return err
		}
		return p.framer.WriteRSTStream(odd(i), http2.ErrCodeCancel)
	})
	f("refused streams", "mistakes", nothing, func(p *peer, i int) error {
		return p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: odd(i), BlockFragment: p.encode(":method", "GET", ":scheme", "http", ":path", "/wait"), EndHeaders: true})
	})
	f("malformed requests", "mistakes", nothing, func(p *peer, i int) error {
		return p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: odd(i), BlockFragment: p.encode(":method", "GET"), EndHeaders: true, EndStream: true})
	})
	f("settings", "SETTINGS", nothing, func(p *peer, _ int) error {
		return p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	})
	f("priority", "PRIORITY", nothing, func(p *peer, i int) error { return p.framer.WritePriority(odd(i), http2.PriorityParam{}) })
	f("unknown frames", "unknown types", nothing, func(p *peer, _ int) error { return p.framer.WriteRawFrame(0x77, 0, 0, nil) })
	f("window updates", "WINDOW_UPDATE", waiting, func(p *peer, _ int) error { return p.framer.WriteWindowUpdate(1, 1) })
	f("empty data", "empty DATA", waiting, func(p *peer, _ int) error { return p.framer.WriteData(1, false, nil) })
	f("tiny data", "tiny DATA", waiting, func(p *peer, _ int) error { return p.framer.WriteData(1, false, []byte("x")) })
	f("padding", "tiny DATA", waiting, func(p *peer, _ int) error {
		return p.framer.WriteDataPadded(1, false, []byte("12345678"), make([]byte, 64))
	})
	begun := func(p *peer) {
		p.ok(p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(":method", "GET")}))
	}
	f("continuations", "CONTINUATION", begun, func(p *peer, _ int) error { return p.framer.WriteContinuation(1, false, nil) })
	filler := strings.Repeat("x", 15<<10)
	f("continuation bytes", "far larger", begun, func(p *peer, _ int) error {
		return p.framer.WriteContinuation(1, false, p.encode("filler", filler))
	})
}

// Answers that wait for a peer who does not read them are bounded.
func TestUnreadReplies(t *testing.T) {
	s := start(t, victim)
	beside(t, s, func() {
		p := s.dial()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for p.framer.WritePing(false, [8]byte{}) == nil {
			}
		}()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("a peer that reads no answer may ask for ever")
		}
	})
}

// A small block that unpacks to a large head, through the table of HPACK.
func TestHeaderBomb(t *testing.T) {
	s := start(t, victim, func(hs *http.Server, _ *h2.Options) { hs.MaxHeaderBytes = 32 << 10 })
	beside(t, s, func() {
		p := s.dial()
		pairs := []string{}
		for range 1000 {
			pairs = append(pairs, "bomb", strings.Repeat("x", 3000))
		}
		p.head(1, true, "GET", "/echo", pairs...)
		if got := p.status(1); got != "431" {
			t.Errorf("3 MB of header: %s", got)
		}
		p.head(3, true, "GET", "/echo", "bomb", "y")
		if got := p.status(3); got != "200" {
			t.Errorf("after it: %s", got)
		}
	})
}

// Opening streams and resetting them does not get more than twice as many handlers
// to run at once as streams are allowed.
func TestHandlersOfResetStreams(t *testing.T) {
	var running, most atomic.Int64
	leave := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stubborn" {
			victim(w, r)
			return
		}
		now := running.Add(1)
		defer running.Add(-1)
		for {
			if old := most.Load(); now <= old || most.CompareAndSwap(old, now) {
				break
			}
		}
		<-leave // it does not look at its context
	}, func(hs *http.Server, _ *h2.Options) { hs.HTTP2.MaxConcurrentStreams = 20 })
	defer close(leave)
	beside(t, s, func() {
		p := s.dial()
		for i := range 60 {
			id := uint32(2*i + 1)
			p.head(id, true, "GET", "/stubborn")
			p.ok(p.framer.WriteRSTStream(id, http2.ErrCodeCancel))
		}
		p.ok(p.framer.WritePing(false, [8]byte{1}))
		p.until("the server has seen it all", func(f http2.Frame) bool { ping, ok := f.(*http2.PingFrame); return ok && ping.IsAck() })
	})
	if n := most.Load(); n > 40 {
		t.Errorf("%d handlers ran at once, 20 streams are allowed", n)
	}
}

func TestClosedWindow(t *testing.T) {
	s := start(t, victim, func(_ *http.Server, o *h2.Options) { o.StallTimeout = 300 * time.Millisecond })
	beside(t, s, func() {
		p := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		p.head(1, true, "GET", "/endless")
		p.head(3, false, "POST", "/echo")
		p.ok(p.framer.WriteData(3, true, []byte("its handler returns, its answer waits")))
		reset := map[uint32]bool{}
		p.until("both to be reset", func(f http2.Frame) bool {
			if r, ok := f.(*http2.RSTStreamFrame); ok {
				reset[r.StreamID] = true
			}
			return reset[1] && reset[3]
		})
	})
}

// A slow reader is no stalled one, even if it has opened its windows for good and
// says nothing more.
func TestSlowReaderIsServed(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 256<<20)) // one write that lasts
	}, func(_ *http.Server, o *h2.Options) { o.StallTimeout = 400 * time.Millisecond })
	p := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	p.ok(p.framer.WriteWindowUpdate(0, 1<<30))
	p.head(1, true, "GET", "/")
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		f, err := p.next()
		p.ok(err)
		if r, ok := f.(*http2.RSTStreamFrame); ok {
			t.Fatalf("a reader that is only slow was reset: %s", r.ErrCode)
		}
		time.Sleep(time.Millisecond) // 16 KiB each
	}
}

// A peer that asks for much and reads nothing at all holds one buffer and one
// handler, and not for long.
func TestUnreadSocket(t *testing.T) {
	ended := make(chan struct{}, 64)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		victim(w, r)
		if r.URL.Path == "/endless" {
			ended <- struct{}{}
		}
	}, func(hs *http.Server, _ *h2.Options) { hs.HTTP2.WriteByteTimeout = 400 * time.Millisecond })
	beside(t, s, func() {
		p := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		p.ok(p.framer.WriteWindowUpdate(0, 1<<30))
		for i := range 20 {
			p.head(uint32(2*i+1), true, "GET", "/endless")
		}
		for range 20 {
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatal("a handler still writes to a peer that does not read")
			}
		}
	})
}

func TestTimeouts(t *testing.T) {
	f := func(name string, set func(*http.Server, *h2.Options), code http2.ErrCode, reason string, attack func(p *peer)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := start(t, victim, set)
			beside(t, s, func() {
				p := s.dial()
				attack(p)
				p.wantGoAway(code, reason)
			})
		})
	}
	const soon = 300 * time.Millisecond
	f("header", func(hs *http.Server, _ *h2.Options) { hs.ReadHeaderTimeout = soon }, http2.ErrCodeProtocol, "does not end", func(p *peer) {
		p.ok(p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(":method", "GET")}))
	})
	f("idle", func(hs *http.Server, _ *h2.Options) { hs.IdleTimeout = soon }, http2.ErrCodeNo, "", func(p *peer) {
		p.head(1, true, "GET", "/echo")
	})
	f("age", func(_ *http.Server, o *h2.Options) { o.MaxAge, o.MaxAgeGrace = soon, soon }, http2.ErrCodeNo, "greatest age", func(p *peer) {
		p.head(1, true, "GET", "/wait")
	})
}

func TestNoSettings(t *testing.T) {
	s := start(t, victim, func(hs *http.Server, _ *h2.Options) { hs.ReadHeaderTimeout = 300 * time.Millisecond })
	beside(t, s, func() {
		conn := s.tcp()
		if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("the server does not hang up: %v", err)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	s := start(t, victim, func(hs *http.Server, _ *h2.Options) {
		hs.HTTP2.SendPingTimeout, hs.HTTP2.PingTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	p := s.dial()
	p.head(1, true, "GET", "/wait")
	for range 3 {
		p.until("a ping", func(f http2.Frame) bool {
			ping, ok := f.(*http2.PingFrame)
			if ok {
				p.ok(p.framer.WritePing(true, ping.Data))
			}
			return ok
		})
	}
	silent := s.dial()
	silent.head(1, true, "GET", "/wait")
	for {
		if _, err := silent.next(); err != nil { // its pings are not answered
			if strings.Contains(err.Error(), "timeout") {
				t.Error("the server keeps a connection that is gone")
			}
			return
		}
	}
}

func TestStalledBody(t *testing.T) {
	s := start(t, victim, func(_ *http.Server, o *h2.Options) { o.BodyTimeout = 300 * time.Millisecond })
	beside(t, s, func() {
		p := s.dial()
		p.head(1, false, "POST", "/echo", "content-length", "10")
		p.ok(p.framer.WriteData(1, false, []byte("12345")))
		p.head(3, false, "POST", "/echo") // of no known length: it may have nothing to say
		p.wantReset(1, http2.ErrCodeCancel)
		p.ok(p.framer.WriteData(3, true, []byte("late")))
		if got := p.status(3); got != "200" {
			t.Error(got)
		}
	})
}

// The window of the connection comes back for bytes that nobody reads.
func TestWindowComesBack(t *testing.T) {
	s := start(t, victim)
	f := func(name string, send func(p *peer, stream uint32) int) {
		t.Helper()
		p := s.dial()
		window := 65535
		grown := func(f http2.Frame) {
			if u, ok := f.(*http2.WindowUpdateFrame); ok && u.StreamID == 0 {
				window += int(u.Increment)
			}
		}
		for stream, sent := uint32(1), 0; sent < 2<<20; stream += 2 { // twice the connection's window
			for window < 64<<10 {
				frame, err := p.next()
				if err != nil {
					t.Fatalf("%s: after %d bytes no window is left: %v", name, sent, err)
				}
				grown(frame)
			}
			n := send(p, stream)
			sent, window = sent+n, window-n
			p.ok(p.framer.WritePing(false, [8]byte{}))
			p.until(name, func(f http2.Frame) bool { grown(f); _, ok := f.(*http2.PingFrame); return ok })
		}
	}
	chunk := make([]byte, 16<<10)
	f("reset streams", func(p *peer, stream uint32) int {
		p.head(stream, false, "POST", "/wait")
		p.ok(p.framer.WriteData(stream, false, chunk))
		p.ok(p.framer.WriteRSTStream(stream, http2.ErrCodeCancel))
		return len(chunk)
	})
	f("bodies that their handlers leave", func(p *peer, stream uint32) int {
		p.head(stream, false, "POST", "/none")
		p.status(stream)
		p.ok(p.framer.WriteData(stream, true, chunk))
		return len(chunk)
	})
	f("padding", func(p *peer, stream uint32) int {
		p.head(stream, false, "POST", "/echo")
		p.ok(p.framer.WriteDataPadded(stream, true, nil, make([]byte, 255)))
		return 256
	})
}

// Streams that wait for the connection's window have their turn in order.
func TestFairness(t *testing.T) {
	s := start(t, victim)
	p := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	const streams = 5
	for i := range streams {
		p.head(uint32(2*i+1), true, "GET", "/endless")
	}
	got := map[uint32]int{}
	for total := 0; total < 4<<20; {
		f, err := p.next()
		p.ok(err)
		if d, ok := f.(*http2.DataFrame); ok {
			got[d.StreamID] += len(d.Data())
			total += len(d.Data())
			p.ok(p.framer.WriteWindowUpdate(0, uint32(max(len(d.Data()), 1))))
		}
	}
	for id, n := range got {
		if n < 4<<20/streams/2 {
			t.Errorf("stream %d got %d of %d bytes", id, n, 4<<20)
		}
	}
	if len(got) != streams {
		t.Errorf("%d of %d streams got anything", len(got), streams)
	}
}

// A window may become negative by SETTINGS, and what waits goes on when it is
// positive again.
func TestWindowBySettings(t *testing.T) {
	s := start(t, victim)
	p := s.dial(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	p.head(1, false, "POST", "/echo")
	p.ok(p.framer.WriteData(1, true, []byte("0123456789abcdefghij")))
	var got bytes.Buffer
	data := func(f http2.Frame) {
		if d, ok := f.(*http2.DataFrame); ok {
			got.Write(d.Data())
		}
	}
	p.until("the first ten bytes", func(f http2.Frame) bool { data(f); return got.Len() == 10 })
	p.ok(p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})) // the window is -10
	p.ok(p.framer.WriteWindowUpdate(1, 12))                                                 // 2
	p.until("two more", func(f http2.Frame) bool { data(f); return got.Len() == 12 })
	p.ok(p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})) // the rest
	p.until("the end", func(f http2.Frame) bool { data(f); d, ok := f.(*http2.DataFrame); return ok && d.StreamEnded() })
	if got.String() != "0123456789abcdefghij" {
		t.Errorf("%q", got.String())
	}
}

// Shutdown says first that it will end, and then which stream was the last; what
// comes in between is served.
func TestTwoGoAways(t *testing.T) {
	s := start(t, victim)
	p := s.dial()
	p.head(1, true, "GET", "/echo")
	p.status(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.hs.Shutdown(ctx) }()
	var first, second *http2.GoAwayFrame
	p.until("both GOAWAYs", func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			if first == nil {
				first = f
				if f.LastStreamID != 1<<31-1 {
					t.Errorf("the first GOAWAY names stream %d", f.LastStreamID)
				}
				return false
			}
			second = f
			return true
		case *http2.PingFrame:
			p.head(3, true, "GET", "/echo") // sent before the client knew
			p.ok(p.framer.WritePing(true, f.Data))
		}
		return false
	})
	if second.LastStreamID != 3 || second.ErrCode != http2.ErrCodeNo {
		t.Errorf("the second GOAWAY: %v", second)
	}
	for {
		if _, err := p.next(); err != nil {
			break
		}
	}
	_ = p.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
