// Package compress packs RPC messages in gzip by klauspost/compress, which takes
// a fraction of the standard library's time for the same size (the benchmark in
// bench/measure compares them). Servers and clients share it.
package compress

import (
	"errors"
	"io"
	"sync"

	"connectrpc.com/connect/v2"
	"github.com/klauspost/compress/gzip"
)

// errClosed is the use of a writer or reader after its Close, when it may serve
// another message already.
var errClosed = errors.New("compress: use after Close")

// smallMessage is the length, in bytes, up to which a message is packed without
// the tables that make longer ones smaller. They take a megabyte and a half in
// each process that sends, which for an agent is a tenth of its memory, and
// clearing them takes longer than packing a report of a few kilobytes; without
// them such a report is a tenth longer.
const smallMessage = 32 << 10

// largeLevel packs longer messages: an answer of a hundred series to within a
// twentieth of the default level's size, in three fifths of its time.
const largeLevel = 2

// Gzip is a connect.Compressor. The zero value is ready to use, and safe for
// concurrent use.
type Gzip struct {
	small, large, readers sync.Pool
}

var _ connect.Compressor = (*Gzip)(nil)

// Name returns "gzip".
func (g *Gzip) Name() string { return connect.CompressionNameGzip }

// Compress returns a writer that packs onto dst. Close ends the packed data, not
// dst. How it packs is decided by the length of the first Write, which connect
// passes a whole message to.
func (g *Gzip) Compress(dst io.Writer) (io.WriteCloser, error) {
	return &writer{owner: g, dst: dst}, nil
}

// Decompress returns a reader of what src has packed. Close leaves src open, and
// may come before the end.
func (g *Gzip) Decompress(src io.Reader) (io.ReadCloser, error) {
	r, ok := g.readers.Get().(*gzip.Reader)
	if !ok {
		r = new(gzip.Reader)
	}
	if err := r.Reset(src); err != nil {
		return nil, err
	}
	return &reader{pool: &g.readers, gzip: r}, nil
}

// writer borrows a gzip writer from its first Write until Close.
type writer struct {
	owner  *Gzip
	dst    io.Writer
	pool   *sync.Pool
	gzip   *gzip.Writer
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errClosed
	}
	w.borrow(len(p))
	return w.gzip.Write(p)
}

func (w *writer) borrow(length int) {
	if w.gzip != nil {
		return
	}
	level := largeLevel
	w.pool = &w.owner.large
	if length <= smallMessage {
		level = gzip.StatelessCompression
		w.pool = &w.owner.small
	}
	var ok bool
	if w.gzip, ok = w.pool.Get().(*gzip.Writer); !ok {
		w.gzip, _ = gzip.NewWriterLevel(w.dst, level) // fails for a level that does not exist
	}
	w.gzip.Reset(w.dst)
}

func (w *writer) Close() error {
	if w.closed {
		return errClosed
	}
	w.borrow(0) // nothing written is a valid message, too
	err := w.gzip.Close()
	w.pool.Put(w.gzip)
	w.gzip, w.closed = nil, true
	return err
}

// reader borrows a gzip reader until Close.
type reader struct {
	pool *sync.Pool
	gzip *gzip.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.gzip == nil {
		return 0, errClosed
	}
	return r.gzip.Read(p)
}

func (r *reader) Close() error {
	if r.gzip == nil {
		return errClosed
	}
	err := r.gzip.Close()
	r.pool.Put(r.gzip)
	r.gzip = nil
	return err
}
