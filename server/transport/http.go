package transport

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/compress"
)

// packer is shared, for it keeps what it needs from one body to the next.
var packer compress.Gzip

// HasType tells whether the body of a request is of one of these media types.
// These are never types that a browser's page may send to another origin without
// asking first, such as text/plain, so that no page of an origin that is not
// allowed can call.
func HasType(r *http.Request, types ...string) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && len(r.Header.Values("Content-Type")) == 1 && slices.Contains(types, media)
}

// Accept answers a request that is no POST of one of these media types, and
// returns false for it.
func Accept(w http.ResponseWriter, r *http.Request, protocol string, types ...string) bool {
	var status int
	var text string
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		status, text = http.StatusMethodNotAllowed, "call "+protocol+" with POST"
	case !HasType(r, types...):
		w.Header().Set("Accept-Post", strings.Join(types, ", "))
		status, text = http.StatusUnsupportedMediaType, protocol+" needs the header Content-Type: "+strings.Join(types, " or ")
	default:
		return true
	}
	http.Error(w, text, status)
	return false
}

// ReadBody reads a body, which may be packed in gzip, of at most limit bytes before
// and after it is unpacked.
//
// Errors: a *connect.Error for the caller. What had been read until then is returned
// too, for whoever counts it.
func ReadBody(r *http.Request, limit int) ([]byte, error) {
	body := io.Reader(&limited{Reader: r.Body, left: limit})
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", connect.CompressionNameIdentity:
	case connect.CompressionNameGzip:
		unpacked, err := packer.Decompress(body)
		if err != nil {
			return nil, explain(err, limit)
		}
		defer func() { _ = unpacked.Close() }() // it was only read
		body = &limited{Reader: unpacked, left: limit}
	default:
		return nil, connect.Errorf(connect.CodeUnimplemented, "content encoding %.40q is not known; send gzip, or the plain body", encoding)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return data, explain(err, limit)
	}
	return data, nil
}

func explain(err error, limit int) error {
	if errors.Is(err, errTooLarge) {
		return connect.Errorf(connect.CodeResourceExhausted, "the message is larger than the limit of %d bytes; send less at once", limit)
	}
	return connect.NewError(connect.CodeInvalidArgument, "the body cannot be read: it is cut short, or not what its Content-Encoding says").WithCause(err)
}

var errTooLarge = errors.New("too large")

// limited fails where io.LimitReader would pretend that all was read.
type limited struct {
	io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if len(p) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.Reader.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// worthPacking is the size below which an answer fits into one packet anyway.
const worthPacking = 1400

// Packed returns a writer of the answer's body, in gzip where the caller takes that
// and the answer is large or of unknown size, which a negative size means. Close
// ends the body.
func Packed(w http.ResponseWriter, r *http.Request, size int) io.WriteCloser {
	w.Header().Add("Vary", "Accept-Encoding")
	if (size >= 0 && size < worthPacking) || !takesGzip(r) {
		return plain{w}
	}
	packed, err := packer.Compress(w)
	if err != nil {
		return plain{w}
	}
	w.Header().Set("Content-Encoding", connect.CompressionNameGzip)
	return packed
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// takesGzip reads Accept-Encoding, in which a weight of 0 means no.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, weighed := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), connect.CompressionNameGzip) {
			number, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return !weighed || err == nil && number > 0
		}
	}
	return false
}
