package jsonrpc

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vitals-rpc/vitals/server/transport"
)

// exact is up to where a JSON number, which readers take for a double, is a whole
// number without loss.
const exact = 1 << 53

// writer writes values in JSON. Its zero value is ready to use.
type writer struct{ text []byte }

var _ transport.Writer = (*writer)(nil)

// next puts a comma where another value stands before.
func (w *writer) next() {
	if n := len(w.text); n > 0 && w.text[n-1] != '{' && w.text[n-1] != '[' && w.text[n-1] != ':' {
		w.text = append(w.text, ',')
	}
}

func (w *writer) BeginStruct() { w.next(); w.text = append(w.text, '{') }
func (w *writer) EndStruct()   { w.text = append(w.text, '}') }
func (w *writer) BeginArray()  { w.next(); w.text = append(w.text, '[') }
func (w *writer) EndArray()    { w.text = append(w.text, ']') }

func (w *writer) BeginMember(name string) {
	w.String(name)
	w.text = append(w.text, ':')
}

func (w *writer) EndMember() {}

// Absent is a member with the value null, so that members can be relied on.
func (w *writer) Absent(name string) {
	w.BeginMember(name)
	w.Null()
}

func (w *writer) Null()       { w.next(); w.text = append(w.text, "null"...) }
func (w *writer) Bool(v bool) { w.next(); w.text = strconv.AppendBool(w.text, v) }

// Int writes a number where it is exact, a string with its digits elsewhere.
func (w *writer) Int(v int64) {
	if v < -exact || v > exact {
		w.String(strconv.FormatInt(v, 10))
		return
	}
	w.next()
	w.text = strconv.AppendInt(w.text, v, 10)
}

// Uint is as Int.
func (w *writer) Uint(v uint64) {
	if v > exact {
		w.String(strconv.FormatUint(v, 10))
		return
	}
	w.next()
	w.text = strconv.AppendUint(w.text, v, 10)
}

// Double writes the shortest digits that are read as the same number, and in
// protobuf's words what JSON has no number for.
func (w *writer) Double(v float64, bits int) {
	switch {
	case math.IsNaN(v):
		w.String("NaN")
	case math.IsInf(v, 1):
		w.String("Infinity")
	case math.IsInf(v, -1):
		w.String("-Infinity")
	default:
		w.next()
		form := byte('f')
		if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
			form = 'e'
		}
		w.text = strconv.AppendFloat(w.text, v, form, -1, bits)
	}
}

func (w *writer) Bytes(v []byte) { w.String(base64.StdEncoding.EncodeToString(v)) }

func (w *writer) Time(v time.Time) { w.String(v.UTC().Format(time.RFC3339Nano)) }

const hexDigits = "0123456789abcdef"

func (w *writer) String(v string) {
	w.next()
	w.text = append(w.text, '"')
	for i := 0; i < len(v); {
		c := v[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(v[i:])
			w.text = utf8.AppendRune(w.text, r)
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			w.text = append(w.text, '\\', c)
		case c == '\n':
			w.text = append(w.text, '\\', 'n')
		case c < ' ':
			w.text = append(w.text, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			w.text = append(w.text, c)
		}
		i++
	}
	w.text = append(w.text, '"')
}
