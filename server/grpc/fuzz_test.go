package grpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzInput reads messages out of any bytes, however they come: what it finds is what
// is there, and it takes no more memory than has come.
func FuzzInput(f *testing.F) {
	for _, body := range []string{"", "\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x01a", "\x01\x00\x00\x00\x02ab\x00\x00\x00\x00\x00", "\x00\xff\xff\xff\xff", "\x00\x00", "\x00\x00\x00\x00\x05abc", "\x80\x00\x00\x01\x00"} {
		f.Add([]byte(body), uint16(4))
	}
	f.Fuzz(func(t *testing.T, body []byte, most uint16) {
		for _, from := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body)), iotest.DataErrReader(bytes.NewReader(body))} {
			in := &input{from: from, most: int(most)}
			left := body
			for {
				flags, message, err := in.next()
				if err != nil {
					if whole := len(left) == 0; whole != errors.Is(err, io.EOF) {
						t.Errorf("with %q left: %v", left, err)
					}
					break
				}
				if most > 0 && len(message) > int(most) {
					t.Fatalf("a message of %d bytes, where %d are the most", len(message), most)
				}
				n := prefixLength + len(message)
				if len(left) < n || left[0] != flags || int(binary.BigEndian.Uint32(left[1:])) != len(message) || !bytes.Equal(left[prefixLength:n], message) {
					t.Fatalf("%q is read from %q", message, left)
				}
				left = left[n:]
			}
			if in.buf != nil && in.buf.Cap() > max(4*len(body), mostKept) { // buffers are used again
				t.Errorf("%d bytes are kept for %d", in.buf.Cap(), len(body))
			}
			in.close()
		}
	})
}
