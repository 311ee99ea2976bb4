package h2_test

import (
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/server/h2"
)

var rude = flag.Int("h2.rude", 2400, "how many connections come and go in rude ways")

// TestRudeConnections opens connections that end in every way but the right one,
// and looks that nothing of them is left: no goroutine, no connection, no memory.
func TestRudeConnections(t *testing.T) {
	var panics panicLog // the records of all these connections would be what is left
	s := start(t, victim, func(hs *http.Server, o *h2.Options) {
		hs.ErrorLog = log.New(&panics, "", 0)
		hs.ReadHeaderTimeout, o.Linger = 2*time.Second, 50*time.Millisecond
		hs.MaxHeaderBytes = 16 << 10
	})
	ways := []func(p *rudePeer){
		func(*rudePeer) {}, // not a word
		func(p *rudePeer) { p.write(http2.ClientPreface[:10]) }, // half a preface
		func(p *rudePeer) { p.write(http2.ClientPreface) },
		func(p *rudePeer) { p.hello(); p.write("\x00\x00\x10\x01") },                      // half a frame's header
		func(p *rudePeer) { p.hello(); p.write("\x00\x00\x10\x01\x04\x00\x00\x00\x01x") }, // half a frame
		func(p *rudePeer) { p.hello(); p.write(strings.Repeat("garbage", 10)) },
		func(p *rudePeer) { p.hello(); p.head("/wait", true, 1); p.reset() },
		func(p *rudePeer) { p.hello(); p.head("/endless", true, 1, 3, 5); p.read(100) },
		func(p *rudePeer) { p.hello(); p.head("/endless", true, 1, 3, 5); p.reset() },
		func(p *rudePeer) { p.hello(); p.head("/echo", false, 1, 3); p.read(20) },
		func(p *rudePeer) { p.hello(); p.head("/wait", true, 1, 3, 3) }, // the last is a mistake
		func(p *rudePeer) {
			p.hello()
			p.head("/wait", true, 1, 3)
			_ = p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
			_ = p.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		},
	}
	run := func(n int) {
		var batch sync.WaitGroup
		slots := make(chan struct{}, 100)
		for i := range n {
			slots <- struct{}{}
			batch.Go(func() {
				defer func() { <-slots }()
				p, err := s.rudely()
				if err != nil {
					t.Error(err)
					return
				}
				ways[i%len(ways)](p)
				_ = p.conn.Close()
			})
		}
		batch.Wait()
		s.eventually("no connection is left", func() bool { return s.h2.Connections() == 0 })
	}
	run(600) // fills pools
	goroutines, memory := atRest()
	run(*rude)
	if g, m := left(goroutines+5, memory+(2<<20)); g > goroutines+5 || m > memory+(2<<20) {
		t.Errorf("%d goroutines and %d KiB before, %d and %d KiB after", goroutines, memory>>10, g, m>>10)
	}
	if text := panics.first.Load(); text != nil {
		t.Errorf("%s", *text)
	}
	s.do(s.request("POST", "/echo", strings.NewReader("well")))
}

// panicLog keeps the first record of a panic, and nothing else.
type panicLog struct{ first atomic.Pointer[string] }

func (l *panicLog) Write(p []byte) (int, error) {
	if text := string(p); strings.Contains(text, "panic") {
		l.first.CompareAndSwap(nil, &text)
	}
	return len(p), nil
}

// left counts goroutines and memory, once both have come down to what is allowed
// or have had time to.
func left(goroutines int, memory uint64) (g int, m uint64) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		g, m = counted()
		if g <= goroutines && m <= memory || time.Now().After(deadline) {
			return g, m
		}
	}
}

// atRest counts goroutines and memory, once neither has come down for half a second.
func atRest() (g int, m uint64) {
	g, m = counted()
	for deadline, still := time.Now().Add(patience), 0; still < 10 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		still++
		if nowG, nowM := counted(); nowG < g || nowM < m {
			g, m, still = min(g, nowG), min(m, nowM), 0
		}
	}
	return g, m
}

func counted() (goroutines int, memory uint64) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return runtime.NumGoroutine(), stats.HeapInuse + stats.StackInuse
}

type rudePeer struct {
	conn   *net.TCPConn
	framer *http2.Framer
}

func (s *server) rudely() (*rudePeer, error) {
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.New("not TCP")
	}
	return &rudePeer{tcp, http2.NewFramer(conn, conn)}, conn.SetDeadline(time.Now().Add(patience))
}

// Whatever a rude peer meets is no concern of its.
func (p *rudePeer) write(text string) { _, _ = io.WriteString(p.conn, text) }

func (p *rudePeer) hello() {
	p.write(http2.ClientPreface)
	_ = p.framer.WriteSettings()
}

func (p *rudePeer) head(path string, end bool, streams ...uint32) {
	for _, id := range streams {
		block := append([]byte("\x83\x86\x41\x01x\x04"), byte(len(path)))
		_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: append(block, path...), EndHeaders: true, EndStream: end})
	}
}

func (p *rudePeer) read(n int) { _, _ = io.CopyN(io.Discard, p.conn, int64(n)) }

// reset closes with RST in place of FIN.
func (p *rudePeer) reset() {
	if err := p.conn.SetLinger(0); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, os.ErrClosed) {
		panic(err)
	}
}
