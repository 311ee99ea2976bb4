package h2_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/vitals-rpc/vitals/server/h2"
)

// FuzzFrames sends anything after the preface, and looks that the server neither
// panics nor keeps the connection once the peer has closed its half.
func FuzzFrames(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed, byte(3))
	}
	l := &pipes{conns: make(chan net.Conn), end: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	hs := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // answers before the request's end
			w.Header().Set(http.TrailerPrefix+"X", "y")
			_, _ = w.Write(make([]byte, 40<<10))
			return
		}
		_, _ = io.Copy(w, io.LimitReader(r.Body, 1<<20))
	}), MaxHeaderBytes: 16 << 10}
	if _, err := h2.Configure(hs, h2.Options{Linger: 20 * time.Millisecond}); err != nil {
		f.Fatal(err)
	}
	go func() { _ = hs.Serve(l) }()
	f.Cleanup(func() { _ = hs.Close() })
	f.Fuzz(func(t *testing.T, sent []byte, cuts byte) {
		here, there := net.Pipe()
		l.conns <- here
		_ = there.SetDeadline(time.Now().Add(patience))
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, there)
		}()
		_, _ = io.WriteString(there, http2.ClientPreface)
		for piece := len(sent)/(1+int(cuts%8)) + 1; len(sent) > 0; { // in pieces, as a network may
			n := min(piece, len(sent))
			if _, err := there.Write(sent[:n]); err != nil {
				break // the server has had enough
			}
			sent = sent[n:]
		}
		_ = there.Close()
		<-read
	})
}

// seeds are connections as they ought to be, and close to it.
func seeds() [][]byte {
	var out [][]byte
	add := func(write func(f *http2.Framer, block func(pairs ...string) []byte)) {
		var wire, packed bytes.Buffer
		encoder := hpack.NewEncoder(&packed)
		framer := http2.NewFramer(&wire, nil)
		framer.AllowIllegalWrites = true
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
		write(framer, func(pairs ...string) []byte {
			packed.Reset()
			for i := 0; i < len(pairs); i += 2 {
				_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
			}
			return packed.Bytes()
		})
		out = append(out, wire.Bytes())
	}
	get := []string{":method", "GET", ":scheme", "http", ":authority", "x", ":path", "/"}
	post := []string{":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/", "content-length", "5"}
	add(func(f *http2.Framer, block func(...string) []byte) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(get...), EndHeaders: true, EndStream: true})
		_ = f.WriteWindowUpdate(0, 1000)
		_ = f.WriteWindowUpdate(1, 100_000)
		_ = f.WritePing(false, [8]byte{1})
	})
	add(func(f *http2.Framer, block func(...string) []byte) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(post...), EndHeaders: true, PadLength: 9})
		_ = f.WriteDataPadded(1, false, []byte("he"), make([]byte, 20))
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20})
		_ = f.WriteData(1, true, []byte("llo"))
	})
	add(func(f *http2.Framer, block func(...string) []byte) {
		b := block(append(post[:8:8], "trailer", "x", "cookie", "a", "cookie", "b", "te", "trailers", "expect", "100-continue")...)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: b[:10]})
		_ = f.WriteContinuation(3, true, b[10:])
		_ = f.WriteData(3, false, bytes.Repeat([]byte("x"), 5000))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block("x", "y"), EndHeaders: true, EndStream: true})
		_ = f.WriteRSTStream(3, http2.ErrCodeCancel)
	})
	add(func(f *http2.Framer, block func(...string) []byte) {
		for id := uint32(1); id < 20; id += 2 {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(get...), EndHeaders: true})
			_ = f.WriteRSTStream(id, http2.ErrCodeCancel)
			_ = f.WriteData(id, true, []byte("late"))
			_ = f.WritePriority(id, http2.PriorityParam{StreamDep: id - 1})
		}
		_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
	})
	return out
}

// pipes is a listener over memory.
type pipes struct {
	conns chan net.Conn
	end   chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.end:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.end); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
