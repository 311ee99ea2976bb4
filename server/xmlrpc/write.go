package xmlrpc

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"math"
	"strconv"
	"time"

	"github.com/vitals-rpc/vitals/server/transport"
)

// writer writes values in XML-RPC's form. Its zero value is ready to use.
type writer struct{ text bytes.Buffer }

var _ transport.Writer = (*writer)(nil)

func (w *writer) raw(text string) { w.text.WriteString(text) }

func (w *writer) scalar(kind, text string) {
	w.raw("<value><" + kind + ">" + text + "</" + kind + "></value>")
}

func (w *writer) BeginStruct() { w.raw("<value><struct>") }
func (w *writer) EndStruct()   { w.raw("</struct></value>") }
func (w *writer) BeginArray()  { w.raw("<value><array><data>") }
func (w *writer) EndArray()    { w.raw("</data></array></value>") }

func (w *writer) BeginMember(name string) {
	w.raw("<member><name>")
	w.escape(name)
	w.raw("</name>")
}

func (w *writer) EndMember() { w.raw("</member>") }

// Absent leaves the member out, for nil is an extension that old clients may not
// know.
func (w *writer) Absent(string) {}

func (w *writer) Null() { w.raw("<value><nil/></value>") }

func (w *writer) Bool(v bool) {
	if v {
		w.scalar("boolean", "1")
		return
	}
	w.scalar("boolean", "0")
}

// Int writes an int where it has 32 bits, and an i8, an extension, elsewhere.
func (w *writer) Int(v int64) {
	kind := "i8"
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		kind = "int"
	}
	w.scalar(kind, strconv.FormatInt(v, 10))
}

// Uint is as Int. What is beyond an i8 is a string of its digits.
func (w *writer) Uint(v uint64) {
	if v > math.MaxInt64 {
		w.scalar("string", strconv.FormatUint(v, 10))
		return
	}
	w.Int(int64(v))
}

// Double writes digits without an exponent, as the specification wants them, and in
// words that clients' parsers take what has none.
func (w *writer) Double(v float64, bits int) {
	switch {
	case math.IsInf(v, 1):
		w.scalar("double", "Infinity")
	case math.IsInf(v, -1):
		w.scalar("double", "-Infinity")
	default:
		w.scalar("double", strconv.FormatFloat(v, 'f', -1, bits))
	}
}

func (w *writer) String(v string) {
	w.raw("<value><string>")
	w.escape(v)
	w.raw("</string></value>")
}

func (w *writer) Bytes(v []byte) { w.scalar("base64", base64.StdEncoding.EncodeToString(v)) }

// Time writes UTC, to the second, which is all that the form has room for.
func (w *writer) Time(v time.Time) {
	w.scalar("dateTime.iso8601", v.UTC().Format("20060102T15:04:05"))
}

// escape writes text. Characters that XML cannot have, such as most control
// characters, become U+FFFD.
func (w *writer) escape(text string) {
	_ = xml.EscapeText(&w.text, []byte(text)) // a buffer takes all
}
