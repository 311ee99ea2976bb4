package interop_test

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"testing"
)

// recording is a TCP proxy to one address that keeps what goes through its only
// connection, so that the conversation can be written down as if a network
// interface had been listened to, which takes rights that a test does not have.
type recording struct {
	net.Listener

	mu   sync.Mutex
	seen []segment
	done sync.WaitGroup
}

// segment is bytes that were sent in one direction.
type segment struct {
	fromServer bool
	data       []byte
}

// record starts a recording; it ends with the test.
func record(t *testing.T, server string) *recording {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{Listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	r.done.Go(func() {
		caller, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = caller.Close() }()
		answerer, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server)
		if err != nil {
			t.Errorf("the recording cannot reach the server: %v", err)
			return
		}
		back := make(chan struct{})
		go func() {
			defer close(back)
			r.copy(caller, answerer, true)
			_ = caller.Close()
		}()
		r.copy(answerer, caller, false)
		_ = answerer.Close()
		<-back
	})
	return r
}

// copy passes on what comes and keeps it, first kept and then passed on, so that
// an answer never stands before its question.
func (r *recording) copy(to io.Writer, from io.Reader, fromServer bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			r.mu.Lock()
			r.seen = append(r.seen, segment{fromServer, append([]byte(nil), buffer[:n]...)})
			r.mu.Unlock()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// write ends the recording, and writes it as a capture file of packets between
// 127.0.0.1:40000 and 127.0.0.1:port. The caller has closed its connection.
// Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html.
func (r *recording) write(t *testing.T, file string, port uint16) {
	t.Helper()
	_ = r.Close()
	r.done.Wait()
	const rawIP, noLimit = 101, 1 << 18
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	out = binary.LittleEndian.AppendUint16(out, 2)
	out = binary.LittleEndian.AppendUint16(out, 4)
	for _, field := range []uint32{0, 0, noLimit, rawIP} {
		out = binary.LittleEndian.AppendUint32(out, field)
	}
	const syn, ack, push = 0x02, 0x10, 0x08
	ports := map[bool]uint16{false: 40000, true: port}
	next := map[bool]uint32{} // each side's next sequence number
	packet := func(fromServer bool, flags byte, data []byte) {
		ip := binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(40+len(data)))
		ip = append(ip, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
		tcp := binary.BigEndian.AppendUint16(ip, ports[fromServer])
		tcp = binary.BigEndian.AppendUint16(tcp, ports[!fromServer])
		tcp = binary.BigEndian.AppendUint32(tcp, next[fromServer])
		tcp = binary.BigEndian.AppendUint32(tcp, next[!fromServer])
		tcp = append(tcp, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
		whole := append(tcp, data...)
		for _, field := range []uint32{1e9, 0, uint32(len(whole)), uint32(len(whole))} { // seconds, microseconds, kept, sent
			out = binary.LittleEndian.AppendUint32(out, field)
		}
		out = append(out, whole...)
		next[fromServer] += uint32(len(data))
		if flags&syn != 0 {
			next[fromServer]++
		}
	}
	packet(false, syn, nil)
	packet(true, syn|ack, nil)
	packet(false, ack, nil)
	for _, s := range r.seen {
		packet(s.fromServer, push|ack, s.data)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
}
