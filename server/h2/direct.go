package h2

import (
	"context"
	"crypto/tls"
	"io"
	"time"
)

// Direct serves requests below net/http: without http.Request, without header
// maps and without http.ResponseWriter, which cost a small RPC more than HTTP/2
// does. Its streams are under all of this package's limits and timeouts.
type Direct interface {
	// ServeStream serves a request in the goroutine that it is called in, and
	// returns true when that is done. Where it returns false it must have done
	// nothing to the stream, and http.Server.Handler serves the request.
	ServeStream(s *Stream) bool
}

// Field is a header field as it is on the wire: its name is in lower case.
type Field struct{ Name, Value string }

// Stream is a request and its response, for a [Direct]. It must not be used when
// ServeStream has returned. One goroutine may read the request while another
// writes the response.
type Stream stream

// Method is the request's, such as POST.
func (s *Stream) Method() string { return s.head.method }

// Path is the request's :path, with its query.
func (s *Stream) Path() string { return s.head.path }

// Authority is the request's :authority; empty where it has none.
func (s *Stream) Authority() string { return s.head.authority }

// Fields are the request's header fields in their order, without those that
// begin with a colon. The slice is the connection's: do not keep or change it.
func (s *Stream) Fields() []Field { return s.head.fields }

// ContentLength is what the request declares, or -1.
func (s *Stream) ContentLength() int64 { return s.head.length }

// Context ends when the client resets the stream or is gone, when ServeStream
// returns, and when the server's base context ends. Its values are those of
// http.Server.BaseContext and ConnContext.
func (s *Stream) Context() context.Context { return (*streamContext)(s) }

// RemoteAddr is the address of the client.
func (s *Stream) RemoteAddr() string { return s.c.remote }

// TLS is the state of the connection; nil for one without TLS. It is shared: do
// not change it.
func (s *Stream) TLS() *tls.ConnectionState { return s.c.tls }

// Read reads from the request's body. It waits for the first byte, not for all of
// p, and returns io.EOF at the end; os.ErrDeadlineExceeded when the deadline of
// SetReadTimeout passes while it waits; net.ErrClosed (by errors.Is) when the
// client is gone.
func (s *Stream) Read(p []byte) (int, error) { return (*requestBody)(s).Read(p) }

// Close drops what is still to come of the body.
func (s *Stream) Close() error { return (*requestBody)(s).Close() }

// SetReadTimeout bounds how long reads may wait in all, from the first that waits
// on, until it is called again; 0 is no bound, and no deadline. It is for the
// goroutine that reads.
func (s *Stream) SetReadTimeout(d time.Duration) { (*responseWriter)(s).SetReadTimeout(d) }

// HoldBack has nothing more read of the connection for that long, a second at the
// most: see the response writer's.
func (s *Stream) HoldBack(d time.Duration) { (*responseWriter)(s).HoldBack(d) }

// Stalled says whether the stream was reset, or its connection cut, because the
// client did not read.
func (s *Stream) Stalled() bool { return (*responseWriter)(s).Stalled() }

// Header begins the response with status 200 and these fields; Date is added. It
// sends nothing yet. Call it once, before Write, Flush and End. The fields' names
// must be in lower case, and no name of one connection's own, such as
// transfer-encoding; a field whose value cannot be sent is left out.
func (s *Stream) Header(fields ...Field) {
	st := (*stream)(s)
	st.resp.status, st.resp.length, st.resp.hasType = 200, -1, true
	snapshot := getFields()
	for _, f := range fields {
		if validWireName(f.Name) && validValue(f.Value) {
			snapshot = append(snapshot, f)
		}
	}
	st.resp.snapshot = snapshot
}

// Write adds to the response's body. Until the first Flush a few kilobytes are
// gathered; then it waits while the client reads slowly.
//
// Errors: os.ErrDeadlineExceeded after a stall; net.ErrClosed (by errors.Is) when
// the client is gone.
func (s *Stream) Write(p []byte) (int, error) { return (*stream)(s).write(p, "") }

// Send is Write and Flush in one.
func (s *Stream) Send(p []byte) error {
	st := (*stream)(s)
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if st.gone {
		return st.err
	}
	if !st.resp.headerSent {
		if err := st.sendGathered(p, ""); err != nil {
			return err
		}
	}
	_, err := st.sendData(p)
	st.c.flush()
	return err
}

// Flush sends what has been written, and the header. It does not wait until it is
// read.
func (s *Stream) Flush() error { return (*stream)(s).flush() }

// End ends the response with trailers, in one piece with what has been gathered.
// It does not wait. A stream whose ServeStream returns true without it is reset.
func (s *Stream) End(trailers ...Field) {
	st := (*stream)(s)
	kept := st.trailerSpace[:0]
	for _, f := range trailers {
		if validWireName(f.Name) && validValue(f.Value) {
			kept = append(kept, f)
		}
	}
	st.ended = true
	st.end(kept)
}

var _ io.ReadWriteCloser = (*Stream)(nil)

// serveDirect reports whether the server's Direct has served the request.
func (st *stream) serveDirect() (served bool) {
	d := st.c.srv.opts.Direct
	if d == nil {
		return false
	}
	returned := false
	served = true //nolint:wastedassign // what panics is served, in its way
	defer st.rescue(&returned)
	served = d.ServeStream((*Stream)(st))
	returned = true
	if served && !st.ended {
		st.resetUnended()
	}
	return served
}
