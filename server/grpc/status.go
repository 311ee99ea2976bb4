package grpc

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/server/h2"
)

// ok is the status of a call that went well.
var ok = h2.Field{Name: "grpc-status", Value: "0"}

// appendStatus adds the trailers that say how a call ended.
func appendStatus(fields []h2.Field, err error) []h2.Field {
	if err == nil {
		return append(fields, ok)
	}
	told := tell(err)
	fields = append(fields,
		h2.Field{Name: "grpc-status", Value: strconv.Itoa(int(told.Code()))},
		h2.Field{Name: "grpc-message", Value: percentEncode(told.Message())})
	if details := told.Details(); len(details) > 0 {
		status := &statuspb.Status{Code: int32(told.Code()), Message: told.Message()} //nolint:gosec // codes are small
		for _, d := range details {
			status.Details = append(status.Details, connectproto.ErrorDetailToAny(d))
		}
		if packed, err := proto.Marshal(status); err == nil { // a message that is no UTF-8 goes without its details
			fields = append(fields, h2.Field{Name: "grpc-status-details-bin", Value: connect.EncodeBinaryHeader(packed)})
		}
	}
	return fields
}

// tell is what a caller gets of an error: a *connect.Error as its author wrote
// it, and of any other no more than a code.
func tell(err error) *connect.Error {
	if e, ok := errors.AsType[*connect.Error](err); ok && e != nil {
		if e.IsRemote() {
			return connect.NewError(connect.CodeInternal, "")
		}
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, "")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, "")
	}
	return connect.NewError(connect.CodeUnknown, "")
}

// codeOfConnection is the code of what went wrong with the connection.
func codeOfConnection(ctx context.Context, err error) connect.Code {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed), ctx.Err() != nil:
		return connect.CodeCanceled
	}
	return connect.CodeUnknown
}

// appendHeader adds what a handler or an interceptor has set, but for what is the
// protocol's own.
func appendHeader(fields []h2.Field, header *connect.Header) []h2.Field {
	for key, values := range header.All() {
		name, sendable := h2.WireName(key)
		if !sendable || reserved(name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, h2.Field{Name: name, Value: v})
		}
	}
	return fields
}

// reserved reports whether a header is not a handler's to set.
func reserved(name string) bool {
	switch name {
	case "content-type", "content-length", "content-encoding", "trailer", "date", "accept-encoding",
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te",
		"grpc-encoding", "grpc-accept-encoding", "grpc-timeout", "grpc-status", "grpc-message", "grpc-status-details-bin":
		return true
	}
	return strings.HasPrefix(name, "trailer-") || strings.HasPrefix(name, "connect-")
}

const hexDigits = "0123456789ABCDEF"

// percentEncode writes a message so that it can be in a header: what is not
// printable ASCII, and the percent sign, by its bytes.
func percentEncode(message string) string {
	plain := func(b byte) bool { return ' ' <= b && b <= '~' && b != '%' }
	i := 0
	for i < len(message) && plain(message[i]) {
		i++
	}
	if i == len(message) {
		return message
	}
	var out strings.Builder
	out.WriteString(message[:i])
	for ; i < len(message); i++ {
		if b := message[i]; plain(b) {
			out.WriteByte(b)
		} else {
			out.WriteByte('%')
			out.WriteByte(hexDigits[b>>4])
			out.WriteByte(hexDigits[b&15])
		}
	}
	return out.String()
}
