package grpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"sync"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/interceptor"
)

// A message has five bytes before it: whether it is compressed, and its length.
const (
	prefixLength   = 5
	flagCompressed = 1
)

// noPrefix is room for one.
var noPrefix [prefixLength]byte

// input reads messages from a request's body.
type input struct {
	from io.Reader
	most int // the largest message; 0 for no limit

	mu  sync.Mutex // held while there is reading
	buf *bytes.Buffer
	end error // what the body ended with
}

// buffers hold messages on their way, and never longer.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 512)) }}

// mostKept is the largest buffer that is kept for others.
const mostKept = 256 << 10

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= mostKept {
		b.Reset()
		buffers.Put(b)
	}
}

// release gives the buffer back. mu is held.
func (in *input) release() {
	if in.buf != nil {
		putBuffer(in.buf)
		in.buf = nil
	}
}

// close is release at the call's end. A goroutine of the handler's may still be
// reading; the buffer is left to it then.
func (in *input) close() {
	if in.mu.TryLock() {
		in.release()
		in.mu.Unlock()
	}
}

// fill reads until so many bytes are there. It makes room as they come: a length
// is only what the caller says.
func (in *input) fill(n int) error {
	if in.buf == nil {
		in.buf = getBuffer()
	}
	for in.buf.Len() < n {
		if in.end != nil {
			return in.end
		}
		if free := in.buf.Available(); free == 0 {
			in.buf.Grow(max(512, in.buf.Len()))
		}
		space := in.buf.AvailableBuffer()
		got, err := in.from.Read(space[:cap(space)])
		in.buf.Write(space[:got])
		in.end = err
	}
	return nil
}

// next reads a message. What it returns is good until the next call.
//
// Errors: io.EOF where the body ends before it; *connect.Error for what is no
// message; those of the body.
func (in *input) next() (flags byte, message []byte, err error) {
	if err := in.fill(prefixLength); err != nil {
		if errors.Is(err, io.EOF) && in.buf.Len() > 0 {
			return 0, nil, connect.NewError(connect.CodeInternal, "the request ends in the middle of a message's prefix").WithCause(io.ErrUnexpectedEOF)
		}
		return 0, nil, err
	}
	prefix := in.buf.Next(prefixLength)
	flags, length := prefix[0], int(binary.BigEndian.Uint32(prefix[1:]))
	if in.most > 0 && length > in.most {
		return 0, nil, connect.Errorf(connect.CodeResourceExhausted, "message size %d is larger than configured max %d", length, in.most)
	}
	if err := in.fill(length); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, nil, connect.Errorf(connect.CodeInternal, "the request promised a message of %d bytes and ends after %d", length, in.buf.Len()).WithCause(io.ErrUnexpectedEOF)
		}
		return 0, nil, err
	}
	return flags, in.buf.Next(length), nil
}

// receive reads a message, unpacks and decodes it.
func (c *call) receive(msg any) error {
	if c.readTimeout > 0 {
		c.stream.SetReadTimeout(c.readTimeout)
	}
	flags, message, err := c.in.next()
	if err != nil {
		return c.readError(err)
	}
	stats := connect.MessageStats{Size: len(message)}
	switch {
	case flags&^flagCompressed != 0:
		return connect.Errorf(connect.CodeInternal, "the flags %#x of a message have no meaning", flags)
	case flags == flagCompressed && c.unpack == nil:
		return connect.NewError(connect.CodeInternal, "a message is compressed, and grpc-encoding does not say how")
	case len(message) == 0:
		// The empty message needs no decoding, whatever its flags say.
	case flags == flagCompressed:
		if stats, err = c.unpackInto(msg, message); err != nil {
			return err
		}
	default:
		if err := c.decode(msg, message); err != nil {
			return err
		}
	}
	c.info.ReceiveStats = stats
	return nil
}

// reading is a message as the codec wants it. The one reader of a call is enough:
// messages come one after the other.
func (c *call) reading(message []byte) io.Reader {
	c.message.Reset(message)
	return &c.message
}

func (c *call) decode(msg any, message []byte) error {
	if err := c.codec.UnmarshalRead(&c.ctx, c.reading(message), msg); err != nil {
		return connect.Errorf(connect.CodeInvalidArgument, "unmarshal message: %s", err).WithCause(err)
	}
	return nil
}

// unpackInto decodes a compressed message, of which no more is unpacked than a
// message may have.
func (c *call) unpackInto(msg any, packed []byte) (connect.MessageStats, error) {
	var none connect.MessageStats
	r, err := c.unpack.Decompress(bytes.NewReader(packed))
	if err != nil {
		return none, connect.Errorf(connect.CodeInvalidArgument, "decompress: %s", err).WithCause(err)
	}
	defer func() { _ = r.Close() }() // what it has read is checked already
	most := int64(math.MaxInt64 - 1)
	if c.in.most > 0 {
		most = int64(c.in.most)
	}
	plain := getBuffer()
	defer putBuffer(plain)
	n, err := plain.ReadFrom(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return none, connect.Errorf(connect.CodeInvalidArgument, "decompress: %s", err).WithCause(err)
	case n > most:
		return none, connect.Errorf(connect.CodeResourceExhausted, "message is larger than configured max %d", most)
	}
	return connect.MessageStats{Size: int(n), CompressedSize: len(packed)}, c.decode(msg, plain.Bytes())
}

// readError gives an error of the body its code.
func (c *call) readError(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &interceptor.SlowRequestError{Timeout: c.readTimeout}
	}
	return coded(&c.ctx, err)
}

// Send implements connect.ServerStream.
func (c *call) Send(msg any) error {
	c.begin()
	buf := getBuffer()
	defer putBuffer(buf)
	buf.Write(noPrefix[:])
	if err := c.codec.MarshalWrite(&c.ctx, buf, msg); err != nil {
		return connect.Errorf(connect.CodeInternal, "marshal message: %s", err).WithCause(err)
	}
	stats := connect.MessageStats{Size: buf.Len() - prefixLength}
	if c.pack != nil {
		packed, err := c.packed(buf.Bytes()[prefixLength:])
		if err != nil {
			return err
		}
		defer putBuffer(packed)
		buf = packed
		stats.CompressedSize = buf.Len() - prefixLength
	}
	length := buf.Len() - prefixLength
	if int64(length) > math.MaxUint32 {
		return connect.Errorf(connect.CodeResourceExhausted, "a message of %d bytes is more than gRPC can send", length)
	}
	binary.BigEndian.PutUint32(buf.Bytes()[1:], uint32(length))
	if err := c.write(buf.Bytes()); err != nil {
		return err
	}
	c.info.SendStats = stats
	return nil
}

// packed is a message compressed, with room for its length before it.
func (c *call) packed(message []byte) (*bytes.Buffer, error) {
	out := getBuffer()
	out.Write([]byte{flagCompressed, 0, 0, 0, 0})
	w, err := c.pack.Compress(out)
	if err == nil {
		_, err = w.Write(message)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		putBuffer(out)
		return nil, connect.Errorf(connect.CodeInternal, "compress: %s", err).WithCause(err)
	}
	return out, nil
}

// write sends a message of a stream at once; that of a unary call leaves together
// with its end.
func (c *call) write(p []byte) error {
	if c.unary {
		_, err := c.stream.Write(p)
		return c.writeError(err)
	}
	return c.writeError(c.stream.Send(p))
}

func (c *call) writeError(err error) error {
	if err == nil {
		return nil
	}
	return coded(&c.ctx, err)
}

// coded gives an error of the connection the code that callers would see.
func coded(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*connect.Error](err); ok && e != nil {
		return err
	}
	return connect.NewError(codeOfConnection(ctx, err), err.Error()).WithCause(err)
}
