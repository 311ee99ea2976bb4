package h2

import (
	"errors"
	"io"
	"net"
	"os"
)

// reader buffers what comes from the socket. Its buffer is large, so that many
// frames come with one system call, and it is given back while a connection is
// idle: there may be ten thousand of those.
type reader struct {
	conn  net.Conn
	buf   *buffer // nil while there is nothing in it
	r     int     // read up to here
	small [64]byte
	// received is told of each read, before anything of it is handled.
	received func()
	// interrupted is asked when a read has timed out: whether that was only to
	// have the buffer back.
	interrupted func() bool
}

const readBufferSize = 16 << 10

func (r *reader) buffered() int {
	if r.buf == nil {
		return 0
	}
	return len(r.buf.b) - r.r
}

// fill waits for bytes; there are none left when it is called.
func (r *reader) fill() error {
	for {
		into := r.small[:] // without a buffer, the first few bytes are waited for here
		if r.buf != nil {
			into = r.buf.b[:cap(r.buf.b)]
		}
		n, err := r.conn.Read(into)
		switch {
		case n > 0 && r.buf == nil:
			r.buf, r.r = getBuffer(readBufferSize), 0
			r.buf.b = append(r.buf.b, into[:n]...)
			r.received()
			return nil
		case n > 0:
			r.buf.b, r.r = into[:n], 0
			r.received()
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && r.interrupted():
			r.release()
		default:
			return orEOF(err)
		}
	}
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// Read implements io.Reader, for the Framer.
func (r *reader) Read(p []byte) (int, error) {
	if r.buffered() == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf.b[r.r:])
	r.r += n
	return n, nil
}

// next gives up to n bytes, at least one, without copying them. They are good
// until the next call.
func (r *reader) next(n int) ([]byte, error) {
	if r.buffered() == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	n = min(n, r.buffered())
	p := r.buf.b[r.r : r.r+n]
	r.r += n
	return p, nil
}

func (r *reader) release() {
	putBuffer(r.buf)
	r.buf = nil
}
