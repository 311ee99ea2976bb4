package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// outbox gathers frames in the order in which they will be on the wire. HPACK
// state depends on that order, so blocks are encoded here, under the
// connection's lock, and nowhere else.
type outbox struct {
	buf *buffer // never nil while there is something in it

	// The frame that DATA of the same stream may be added to: where it begins, or
	// -1 when another frame came after it.
	last       int
	lastStream uint32

	hpack     *hpack.Encoder
	known     knownFields
	resized   bool // the table's new size has yet to be told, before the next block's first field
	frameSize int  // the largest frame that the peer takes
	replies   int  // answers in it that the peer has asked for
}

func (o *outbox) init() {
	o.last = -1
	o.frameSize = defaultFrameSize
	o.hpack = hpack.NewEncoder((*blockWriter)(o))
}

func (o *outbox) len() int {
	if o.buf == nil {
		return 0
	}
	return len(o.buf.b)
}

// room makes room for n bytes.
func (o *outbox) room(n int) {
	if o.buf == nil {
		o.buf = getBuffer(max(n, 4<<10))
		return
	}
	o.buf = o.buf.grow(n)
}

// take hands over what has been gathered.
func (o *outbox) take() *buffer {
	b := o.buf
	o.buf, o.last, o.replies = nil, -1, 0
	return b
}

const frameHeader = 9

// frame appends a frame's header.
func (o *outbox) frame(t http2.FrameType, flags http2.Flags, stream uint32, length int) {
	o.room(frameHeader + length)
	o.last = -1
	o.buf.b = append(o.buf.b, byte(length>>16), byte(length>>8), byte(length), byte(t), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func (o *outbox) uint32(v uint32) { o.buf.b = binary.BigEndian.AppendUint32(o.buf.b, v) }

// data appends DATA, to the frame before if that is of the same stream: small
// messages that leave together need one header between them.
func (o *outbox) data(stream uint32, p []byte, end bool) {
	flags := http2.Flags(0)
	if end {
		flags = http2.FlagDataEndStream
	}
	if o.last >= 0 && o.lastStream == stream {
		if length := len(o.buf.b) - o.last - frameHeader + len(p); length <= o.frameSize {
			o.buf = o.buf.grow(len(p))
			o.buf.b = append(o.buf.b, p...)
			o.patch(o.last, length, flags)
			return
		}
	}
	for {
		n := min(len(p), o.frameSize)
		start := o.len()
		if n < len(p) {
			o.frame(http2.FrameData, 0, stream, n)
		} else {
			o.frame(http2.FrameData, flags, stream, n)
		}
		o.buf.b = append(o.buf.b, p[:n]...)
		o.last, o.lastStream = start, stream
		if p = p[n:]; len(p) == 0 {
			return
		}
	}
}

// patch corrects the length of the frame at start and adds flags.
func (o *outbox) patch(start, length int, flags http2.Flags) {
	h := o.buf.b[start:]
	h[0], h[1], h[2] = byte(length>>16), byte(length>>8), byte(length)
	h[4] |= byte(flags)
}

// blockWriter is where the HPACK encoder writes to.
type blockWriter outbox

func (w *blockWriter) Write(p []byte) (int, error) {
	w.buf = w.buf.grow(len(p))
	w.buf.b = append(w.buf.b, p...)
	return len(p), nil
}

// headers appends HEADERS with the fields that emit hands to its argument, and
// CONTINUATION as far as the peer's frames are too small for one.
func (o *outbox) headers(stream uint32, end bool, emit func(*outbox)) {
	start := o.len()
	flags := http2.FlagHeadersEndHeaders
	if end {
		flags |= http2.FlagHeadersEndStream
	}
	o.frame(http2.FrameHeaders, flags, stream, 0)
	o.room(128)
	emit(o)
	length := len(o.buf.b) - start - frameHeader
	if length <= o.frameSize {
		o.patch(start, length, 0)
		return
	}
	block := append([]byte(nil), o.buf.b[start+frameHeader:]...)
	o.buf.b = o.buf.b[:start]
	o.frame(http2.FrameHeaders, flags&^http2.FlagHeadersEndHeaders, stream, o.frameSize)
	o.buf.b = append(o.buf.b, block[:o.frameSize]...)
	for block = block[o.frameSize:]; len(block) > 0; {
		n := min(len(block), o.frameSize)
		flags := http2.Flags(0)
		if n == len(block) {
			flags = http2.FlagContinuationEndHeaders
		}
		o.frame(http2.FrameContinuation, flags, stream, n)
		o.buf.b = append(o.buf.b, block[:n]...)
		block = block[n:]
	}
}

// field encodes one field of the block that headers has begun. Values that
// return are kept in the table of both sides, values that are new each time are
// not, and secrets are marked, so that no one on the way keeps them either.
func (o *outbox) field(name, value string) {
	if o.resized {
		o.known = knownFields{}
	} else if code := o.known.find(name, value); code != nil {
		o.room(len(code))
		o.buf.b = append(o.buf.b, code...)
		return
	}
	how := handlingOf(name)
	if o.resized && how == literal {
		how = indexed // the encoder tells it with the fields that it writes
	}
	o.resized = false
	switch how {
	case indexed:
		start := len(o.buf.b)
		_ = o.hpack.WriteField(hpack.HeaderField{Name: name, Value: value}) // blockWriter cannot fail
		o.known.learn(name, value, o.buf.b[start:])
	case secret:
		_ = o.hpack.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
	default:
		o.room(2*len(name) + 2*len(value) + 16)
		o.buf.b = append(o.buf.b, 0) // a literal that is not indexed, with a literal name
		o.buf.b = appendHpackString(o.buf.b, name)
		o.buf.b = appendHpackString(o.buf.b, value)
	}
}

// knownFields are fields that are in the table of both sides, by their place in it:
// what the same few responses have again and again is not looked up each time.
type knownFields struct {
	fields [8]knownField
	next   int
}

type knownField struct {
	name, value string
	code        [3]byte
	length      int
}

func (k *knownFields) find(name, value string) []byte {
	for i := range k.fields {
		if f := &k.fields[i]; f.length > 0 && f.name == name && f.value == value {
			return f.code[:f.length]
		}
	}
	return nil
}

// learn takes what the encoder has made of a field. Anything but a place in the table
// has changed the table, and all places with it.
func (k *knownFields) learn(name, value string, code []byte) {
	const isPlace = 0x80 // RFC 7541, section 6.1
	if len(code) == 0 || code[0]&isPlace == 0 || len(code) > len(k.fields[0].code) {
		*k = knownFields{}
		return
	}
	f := &k.fields[k.next]
	k.next = (k.next + 1) % len(k.fields)
	f.name, f.value, f.length = name, value, copy(f.code[:], code)
}

// shortLiteral is the length below which a literal is not packed: a quarter of a few
// bytes is not worth the time.
const shortLiteral = 64

// appendHpackString appends a string literal of RFC 7541, section 5.2, a long one
// packed by Huffman's code where that is shorter.
func appendHpackString(b []byte, s string) []byte {
	if len(s) < shortLiteral {
		return append(appendHpackInt(b, 0, 7, uint64(len(s))), s...)
	}
	if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
		return hpack.AppendHuffmanString(appendHpackInt(b, 0x80, 7, n), s)
	}
	return append(appendHpackInt(b, 0, 7, uint64(len(s))), s...)
}

// appendHpackInt appends an integer of RFC 7541, section 5.1, with a prefix of
// that many bits below the ones set in first.
func appendHpackInt(b []byte, first byte, bits uint, n uint64) []byte {
	most := uint64(1)<<bits - 1
	if n < most {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func (o *outbox) settings(pairs ...http2.Setting) {
	o.frame(http2.FrameSettings, 0, 0, 6*len(pairs))
	for _, s := range pairs {
		o.buf.b = binary.BigEndian.AppendUint16(o.buf.b, uint16(s.ID))
		o.uint32(s.Val)
	}
}

func (o *outbox) settingsAck() {
	o.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	o.replies++
}

func (o *outbox) pingAck(data [8]byte) {
	o.frame(http2.FramePing, http2.FlagPingAck, 0, 8)
	o.buf.b = append(o.buf.b, data[:]...)
	o.replies++
}

func (o *outbox) ping(data [8]byte) {
	o.frame(http2.FramePing, 0, 0, 8)
	o.buf.b = append(o.buf.b, data[:]...)
}

func (o *outbox) reset(stream uint32, code http2.ErrCode) {
	o.frame(http2.FrameRSTStream, 0, stream, 4)
	o.uint32(uint32(code))
	o.replies++
}

func (o *outbox) windowUpdate(stream uint32, n int32) {
	o.frame(http2.FrameWindowUpdate, 0, stream, 4)
	o.uint32(uint32(n))
}

func (o *outbox) goAway(last uint32, code http2.ErrCode, reason string) {
	o.frame(http2.FrameGoAway, 0, 0, 8+len(reason))
	o.uint32(last)
	o.uint32(uint32(code))
	o.buf.b = append(o.buf.b, reason...)
}
