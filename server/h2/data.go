package h2

import (
	"io"

	"golang.org/x/net/http2"
)

// readData takes DATA from the reader's buffer to its stream's. Flow control
// counts the whole payload, padding too, and what nobody will read is given back
// at once.
func (c *conn) readData(h http2.FrameHeader) error {
	if h.StreamID == 0 {
		return connError{http2.ErrCodeProtocol, "DATA on stream 0"}
	}
	length, padding := int(h.Length), 0
	if h.Flags.Has(http2.FlagDataPadded) {
		if length == 0 {
			return connError{http2.ErrCodeFrameSize, "DATA with no room for its padding's length"}
		}
		p, err := c.in.next(1)
		if err != nil {
			return err
		}
		length--
		padding = int(p[0])
		if padding > length {
			return connError{http2.ErrCodeProtocol, "DATA with more padding than payload"}
		}
		length -= padding
	}
	st, err := c.beginData(h, length, int(h.Length)-length)
	if err != nil && st == nil && !isStreamError(err) {
		return err
	}
	for left := length; left > 0; {
		p, rerr := c.in.next(left)
		if rerr != nil {
			return rerr
		}
		left -= len(p)
		c.addData(st, p)
	}
	for padding > 0 {
		p, rerr := c.in.next(padding)
		if rerr != nil {
			return rerr
		}
		padding -= len(p)
	}
	if st != nil && h.Flags.Has(http2.FlagDataEndStream) {
		return c.endData(st)
	}
	return err
}

func isStreamError(err error) bool {
	_, ok := err.(streamError) //nolint:errorlint // never wrapped: it was made two lines ago
	return ok
}

// beginData counts a frame and finds the stream that its payload is for: nil
// where nobody wants it.
func (c *conn) beginData(h http2.FrameHeader, payload, padding int) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dying {
		return nil, nil
	}
	if c.idle(h.StreamID) {
		return nil, connError{http2.ErrCodeProtocol, "DATA for a stream that was never opened"}
	}
	if err := c.countData(h, payload, padding); err != nil {
		return nil, err
	}
	c.recvWindow -= int32(h.Length)
	st := c.streams[h.StreamID]
	if st == nil || st.remoteClosed {
		c.giveBack(int(h.Length))
		if _, ours := c.closed.find(h.StreamID); ours && st == nil {
			return nil, nil // sent before the peer knew
		}
		return nil, streamError{h.StreamID, http2.ErrCodeStreamClosed, "DATA after the stream's end"}
	}
	if int32(h.Length) > st.recvWindow {
		c.giveBack(int(h.Length))
		return nil, streamError{st.id, http2.ErrCodeFlowControl, "DATA past the stream's window"}
	}
	st.recvWindow -= int32(h.Length)
	st.received += int64(payload)
	if st.declared >= 0 && st.received > st.declared {
		c.giveBack(int(h.Length))
		return nil, streamError{st.id, http2.ErrCodeProtocol, errShortBody.Error()}
	}
	st.giveBack(padding)
	return st, nil
}

// countData bounds frames that cost more than they carry.
func (c *conn) countData(h http2.FrameHeader, payload, padding int) error {
	if int32(h.Length) > c.recvWindow {
		return connError{http2.ErrCodeFlowControl, "DATA past the connection's window"}
	}
	end := h.Flags.Has(http2.FlagDataEndStream)
	switch {
	case end:
	case payload == 0 && !c.allowed.empty.spend(c.lastRead):
		return tooMany("empty DATA frames")
	case (payload < smallData || padding > payload) && !c.allowed.tiny.spend(c.lastRead):
		return tooMany("tiny DATA frames")
	}
	return nil
}

// addData hands payload to the handler.
func (c *conn) addData(st *stream, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st == nil {
		return // beginData has given it back
	}
	if st.gone || st.bodyErr != nil {
		c.giveBack(len(p))
		return
	}
	if st.body == nil {
		st.body = getBuffer(max(len(p), 512))
	} else if st.bodyRead > 0 && cap(st.body.b)-len(st.body.b) < len(p) {
		n := copy(st.body.b, st.body.b[st.bodyRead:])
		st.body.b, st.bodyRead = st.body.b[:n], 0
	}
	st.body = st.body.grow(len(p))
	st.body.b = append(st.body.b, p...)
	st.bodyAt = c.lastRead
	st.readable.Broadcast()
}

// endData is the request's end.
func (c *conn) endData(st *stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return st.endRequest(nil)
}

// endRequest ends the request's side of a stream, with the trailers that came.
func (st *stream) endRequest(trailers []Field) error {
	if st.gone || st.remoteClosed {
		return nil
	}
	if st.declared >= 0 && st.received != st.declared {
		return streamError{st.id, http2.ErrCodeProtocol, errShortBody.Error()}
	}
	st.remoteClosed = true
	st.trailersIn = trailers
	if st.bodyErr == nil {
		st.bodyErr = io.EOF
	}
	st.readable.Broadcast()
	st.closeIfDone()
	return nil
}
