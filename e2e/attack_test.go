package e2e_test

import (
	"bytes"
	"compress/flate"
	"context"
	encoding "encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/vitals-rpc/vitals/gen/monitoring"
)

const (
	// attackTime is how long each attack lasts.
	attackTime = 2 * time.Second
	// mostGrowth is by how much an attack may make the server grow: far less than
	// what the attackers would have it hold, and room for the race detector.
	mostGrowth = 600 << 20
	attacker   = "127.0.0.9" // the bounds of one caller are not for 127.0.0.1
	getMetric  = "/monitoring.MonitoringService/GetMetric"
)

// attacks are what [siege] can do, by name.
var attacks = []struct {
	name string
	run  func(*siege)
}{
	{"bodies that stall", (*siege).stallBodies},
	{"answers that nobody reads", (*siege).readNothing},
	{"idle connections", (*siege).connect},
	{"calls without pause", (*siege).hammer},
	{"calls without pause over HTTP2", (*siege).hammerStreams},
	{"batches without pause", (*siege).batches},
	{"streams opened and reset", (*siege).resetStreams},
	{"headers without end", (*siege).floodHeaders},
	{"CONTINUATION without end", (*siege).floodContinuation},
	{"pings and settings", (*siege).floodControl},
	{"compression bombs", (*siege).bomb},
	{"deep JSON", (*siege).deepJSON},
	{"deep XML", (*siege).deepXML},
}

// TestAttacks does what those do who want a server down, each thing for a while,
// beside a caller who behaves: that one is served all the time, and the server's
// memory stays bounded. The attackers are a process of their own, so that the
// caller waits for the server and for its processor, not for them. `-v` shows the
// figures; `-args -plain` takes them without the race detector.
func TestAttacks(t *testing.T) {
	srv := startServer(t, "--read-timeout", "3s", "--send-timeout", "3s")
	good := srv.client()
	eventually(t, "the server has measured its host", func() bool {
		_, err := good.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
		return err == nil
	})
	zeros := packedZeros(t)
	alone := behave(t, srv, func() { time.Sleep(attackTime) })
	for i, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			attackers := newAttackers(t, attackConfig{Attack: i, Addr: srv.addr, Zeros: zeros})
			before := memoryOf(t, srv)
			during := behave(t, srv, attackers.run)
			t.Logf("%s; p99 %8s alone, %8s during; memory %4d MiB before, %4d MiB at most during", attackers.hits(),
				alone.p99.Round(10*time.Microsecond), during.p99.Round(10*time.Microsecond), before>>20, during.peak>>20)
			if during.peak > before+mostGrowth {
				t.Errorf("the server grew from %d to %d MiB", before>>20, during.peak>>20)
			}
		})
	}
	if !srv.running() {
		t.Error("the server is gone")
	}
}

// attackEnv has the attackConfig of a child process in JSON.
const attackEnv = "VITALS_E2E_ATTACK"

type attackConfig struct {
	Attack int    // which of attacks
	Addr   string // of the server
	Zeros  string // the file of packedZeros
}

// attack is the child process: it attacks for [attackTime] and says how often.
func attack(config string) error {
	var c attackConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	zeros, err := os.ReadFile(c.Zeros)
	if err != nil {
		return err
	}
	s := &siege{addr: c.Addr, zeros: zeros}
	s.ctx, s.end = context.WithTimeout(context.Background(), attackTime)
	defer s.end()
	attacks[c.Attack].run(s)
	s.crowd.Wait()
	_, err = fmt.Fprintf(os.Stderr, hitsFormat, s.hits.Load())
	return err
}

const hitsFormat = "%d hits\n"

// attackers are that process.
type attackers struct{ *process }

func newAttackers(t *testing.T, c attackConfig) attackers {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return attackers{newProcess(t, "the attackers", os.Args[0], []string{attackEnv + "=" + string(config)}, "-test.run=^$")}
}

// run runs it to its end.
func (a attackers) run() {
	a.tb.Helper()
	a.start()
	select {
	case <-a.done:
	case <-time.After(patience):
		a.tb.Errorf("the attack goes on after %s", patience)
	}
}

// hits is what it says of itself; an attack that reached nobody fails the test.
func (a attackers) hits() string {
	a.tb.Helper()
	var hits int64
	if _, err := fmt.Sscanf(a.log.String(), hitsFormat, &hits); err != nil || hits == 0 {
		a.tb.Errorf("the attack reached nobody: %v", err)
	}
	return fmt.Sprintf("%d hits", hits)
}

// behaved is what a caller who behaves has seen.
type behaved struct {
	p99  time.Duration
	peak int64 // bytes of the server's memory
}

// behave calls once every few milliseconds while something goes on, and no call
// may fail.
func behave(t *testing.T, srv *serverProcess, meanwhile func()) (b behaved) {
	t.Helper()
	c := srv.client()
	defer c.Close()
	done := make(chan struct{})
	var took []time.Duration
	var caller sync.WaitGroup
	caller.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			start := time.Now()
			if _, err := c.Monitoring().GetMetric(context.WithoutCancel(t.Context()), &monitoring.MetricRequest{}); err != nil {
				t.Errorf("who behaves is not served: %v", err)
				return
			}
			took = append(took, time.Since(start))
			b.peak = max(b.peak, memoryOf(t, srv))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	meanwhile()
	close(done)
	caller.Wait()
	slices.Sort(took)
	if len(took) > 0 {
		b.p99 = took[len(took)*99/100]
	}
	return b
}

// memoryOf is the resident memory of the server's process, in bytes; 0 where the
// system does not tell.
func memoryOf(t *testing.T, srv *serverProcess) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", srv.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Error(err)
			}
			return kilobytes << 10
		}
	}
	return 0
}

// siege is one attack.
type siege struct {
	addr  string
	zeros []byte
	ctx   context.Context //nolint:containedctx // it lives as long as the attack
	end   context.CancelFunc
	crowd sync.WaitGroup
	hits  atomic.Int64
}

// each lets that many attackers loose, each on a connection of its own, again and
// again until the time is over.
func (s *siege) each(attackers int, attack func(net.Conn) error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attacker)}}
	for range attackers {
		s.crowd.Go(func() {
			for s.ctx.Err() == nil {
				conn, err := dialer.DialContext(s.ctx, "tcp", s.addr)
				if err != nil {
					time.Sleep(time.Millisecond) // the server may take no more
					continue
				}
				stop := context.AfterFunc(s.ctx, func() { _ = conn.Close() })
				s.hits.Add(1)
				_ = attack(conn) // to be cut is an attacker's lot
				stop()
				_ = conn.Close()
			}
		})
	}
}

// hold keeps a connection until the server cuts it or the time is over.
func (s *siege) hold(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return err
}

func postHead(path, contentType string, length int, more string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n", path, contentType, length, more)
}

func (s *siege) stallBodies() {
	s.each(300, func(conn net.Conn) error {
		if _, err := io.WriteString(conn, postHead(getMetric, "application/json", 4<<20, "")+"{"); err != nil {
			return err
		}
		return s.hold(conn)
	})
}

func (s *siege) readNothing() {
	s.each(200, func(conn net.Conn) error {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096)
		}
		for s.ctx.Err() == nil { // pipelined, until the server stops reading
			if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *siege) connect() { s.each(1000, s.hold) }

func (s *siege) hammer() {
	body := postHead(getMetric, "application/json", 2, "") + "{}"
	s.each(50, func(conn net.Conn) error {
		go func() { _ = s.hold(conn) }()
		for s.ctx.Err() == nil {
			if _, err := io.WriteString(conn, body); err != nil {
				return err
			}
		}
		return nil
	})
}

// overHTTP2 greets in HTTP/2 and goes on by frames.
func (s *siege) overHTTP2(attackers int, attack func(*http2.Framer, *hpack.Encoder, *bytes.Buffer) error) {
	s.each(attackers, func(conn net.Conn) error {
		if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
			return err
		}
		framer := http2.NewFramer(conn, conn)
		if err := framer.WriteSettings(); err != nil {
			return err
		}
		go func() { _ = s.hold(conn) }() // and never acknowledges
		var block bytes.Buffer
		return attack(framer, hpack.NewEncoder(&block), &block)
	})
}

// head encodes the head of a call.
func head(encoder *hpack.Encoder) error {
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", getMetric}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return nil
}

// hammerStreams opens calls as fast as a connection carries them, a new one for each
// connection that the server has cut.
func (s *siege) hammerStreams() {
	s.overHTTP2(20, func(framer *http2.Framer, encoder *hpack.Encoder, block *bytes.Buffer) error {
		for id := uint32(1); s.ctx.Err() == nil; id += 2 {
			block.Reset()
			if err := head(encoder); err != nil {
				return err
			}
			if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
				return err
			}
			if err := framer.WriteData(id, true, make([]byte, 5)); err != nil { // an empty message
				return err
			}
			s.hits.Add(1)
		}
		return nil
	})
}

// batches sends many calls in each request, most of which there are not.
func (s *siege) batches() {
	call := `{"jsonrpc":"2.0","id":1,"method":"get_metric"},{"jsonrpc":"2.0","id":2,"method":"rpc.discover"},{"jsonrpc":"2.0","id":3,"method":"get_matric"}`
	s.send(20, "/jsonrpc", "application/json", "", []byte("["+strings.Repeat(call+",", 300)+call+"]"))
	s.send(20, "/jsonrpc", "application/json", "", []byte(strings.Repeat("[1,", 30_000)))
}

func (s *siege) resetStreams() {
	s.overHTTP2(4, func(framer *http2.Framer, encoder *hpack.Encoder, block *bytes.Buffer) error {
		for id := uint32(1); s.ctx.Err() == nil; id += 2 {
			block.Reset()
			if err := head(encoder); err != nil {
				return err
			}
			if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
				return err
			}
			if err := framer.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
				return err
			}
			s.hits.Add(1)
		}
		return nil
	})
}

func (s *siege) floodHeaders() {
	s.overHTTP2(4, func(framer *http2.Framer, encoder *hpack.Encoder, block *bytes.Buffer) error {
		for id := uint32(1); s.ctx.Err() == nil; id += 2 {
			block.Reset()
			if err := head(encoder); err != nil {
				return err
			}
			// One large field and thousands of references to it: a byte each here,
			// 4,000 there.
			for range 16_000 - block.Len() - 4200 {
				if err := encoder.WriteField(hpack.HeaderField{Name: "x-filler", Value: strings.Repeat("x", 3900)}); err != nil {
					return err
				}
			}
			if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes()[:min(block.Len(), 16_000)], EndHeaders: true, EndStream: true}); err != nil {
				return err
			}
			s.hits.Add(1)
		}
		return nil
	})
}

func (s *siege) floodContinuation() {
	s.overHTTP2(4, func(framer *http2.Framer, encoder *hpack.Encoder, block *bytes.Buffer) error {
		if err := head(encoder); err != nil {
			return err
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()}); err != nil {
			return err
		}
		for s.ctx.Err() == nil {
			block.Reset()
			if err := encoder.WriteField(hpack.HeaderField{Name: "x-filler", Value: strings.Repeat("x", 8000), Sensitive: true}); err != nil {
				return err
			}
			if err := framer.WriteContinuation(1, false, block.Bytes()); err != nil {
				return err
			}
			s.hits.Add(1)
		}
		return nil
	})
}

func (s *siege) floodControl() {
	s.overHTTP2(4, func(framer *http2.Framer, _ *hpack.Encoder, _ *bytes.Buffer) error {
		for s.ctx.Err() == nil {
			if err := framer.WritePing(false, [8]byte{}); err != nil {
				return err
			}
			if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}); err != nil {
				return err
			}
			s.hits.Add(1)
		}
		return nil
	})
}

// send posts a whole body and reads the answer.
func (s *siege) send(attackers int, path, contentType, more string, body []byte) {
	s.each(attackers, func(conn net.Conn) error {
		if _, err := conn.Write(append([]byte(postHead(path, contentType, len(body), more+"Connection: close\r\n")), body...)); err != nil {
			return err
		}
		return s.hold(conn)
	})
}

// packedZeros is a file of half a gigabyte of zeros, in half a megabyte. Its blocks
// are the same from the second on, so only two are packed: with the race detector,
// all of them would take longer than the attacks.
func packedZeros(t *testing.T) string {
	t.Helper()
	const blocks = 512
	zeros := make([]byte, 1<<20)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	block := func() []byte {
		packed.Reset()
		_, _ = w.Write(zeros) // a buffer takes it
		_ = w.Flush()
		return bytes.Clone(packed.Bytes())
	}
	first, other := block(), block()
	packed.Reset()
	_ = w.Close()
	sum := crc32.NewIEEE()
	for range blocks {
		_, _ = sum.Write(zeros)
	}
	file := slices.Concat([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), first, bytes.Repeat(other, blocks-1), packed.Bytes())
	file = encoding.LittleEndian.AppendUint32(file, sum.Sum32())
	file = encoding.LittleEndian.AppendUint32(file, blocks<<20)
	path := filepath.Join(t.TempDir(), "zeros.gz")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *siege) bomb() {
	for _, path := range []string{getMetric, "/jsonrpc", "/RPC2"} {
		contentType := "application/json"
		if path == "/RPC2" {
			contentType = "text/xml"
		}
		s.send(5, path, contentType, "Content-Encoding: gzip\r\n", s.zeros)
	}
}

func (s *siege) deepJSON() {
	deep := []byte(strings.Repeat("[", 3<<20))
	object := []byte(strings.Repeat(`{"a":`, 600_000))
	s.send(5, getMetric, "application/json", "", object)
	s.send(5, "/jsonrpc", "application/json", "", deep)
	s.send(5, "/jsonrpc", "application/json", "", append([]byte(`{"jsonrpc":"2.0","id":1,"method":"add","params":`), deep...))
}

func (s *siege) deepXML() {
	deep := strings.Repeat("<value><array><data>", 150_000)
	entities := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">` +
		`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><methodCall><methodName>&c;</methodName></methodCall>`
	s.send(5, "/RPC2", "text/xml", "", []byte("<methodCall><methodName>add</methodName><params><param>"+deep))
	s.send(5, "/RPC2", "text/xml", "", []byte(entities))
}
