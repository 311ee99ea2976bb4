package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
)

// explain says in words what an error means here, and what to do about it.
func explain(err error, t *transport, x *examination) string {
	for _, known := range []func(error, *transport, *examination) string{byConnection, byCertificate, byVersion, byAnswer, byCode} {
		if text := known(err, t, x); text != "" {
			return text
		}
	}
	return err.Error()
}

func byConnection(err error, _ *transport, x *examination) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s: is 'vitals serve' running there, and this its port?", x.hostPort())
	case x.socket != "" && errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("there is no socket %s: is 'vitals serve --listen unix:%s' running?", x.socket, x.socket)
	case x.socket != "" && errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not open the socket %s: let the group do so with vitals serve --socket-mode 0660, and be in it", x.socket)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("there is no way from here to %s: %v", x.hostPort(), err)
	case errors.As(err, &timeout) && timeout.Timeout() && connect.CodeOf(err) != connect.CodeDeadlineExceeded:
		return fmt.Sprintf("no answer from %s: a firewall may drop what is sent there", x.hostPort())
	}
	return ""
}

func byCertificate(err error, _ *transport, x *examination) string {
	if explained, ok := errors.AsType[*client.TLSError](client.ExplainTLS(x.url.Host, err)); ok {
		return explained.Reason
	}
	return ""
}

// byVersion is about the version of HTTP.
func byVersion(err error, t *transport, x *examination) string {
	if t == nil || t.name != http2 {
		return ""
	}
	text := err.Error()
	switch {
	case x.secure() && (strings.Contains(text, "no application protocol") || strings.Contains(text, "unexpected ALPN protocol") || strings.Contains(text, "malformed HTTP")):
		return "what ends TLS here offers no HTTP/2 (ALPN h2), so gRPC and streams both ways cannot pass: switch HTTP/2 on there (in nginx: http2 on)"
	case strings.Contains(text, "frame too large"), strings.Contains(text, "malformed HTTP response"),
		strings.Contains(text, "looked like an HTTP/1.1 header"), strings.Contains(text, "server preface"),
		!x.secure() && strings.Contains(text, "client conn could not be established"):
		return "what answers here speaks HTTP/1.1 alone, so gRPC and streams both ways cannot pass: " +
			"let it speak cleartext HTTP/2 with prior knowledge, or put TLS with HTTP/2 before it"
	case !x.secure() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)):
		return "the connection is closed at HTTP/2's first bytes: a proxy that knows only HTTP/1.1 does so. Let it speak cleartext HTTP/2, or put TLS with HTTP/2 before it"
	}
	return ""
}

// byAnswer reads the HTTP answer beneath, which a proxy may have given.
func byAnswer(err error, t *transport, x *examination) string {
	if t == nil || errors.Is(err, context.DeadlineExceeded) {
		return ""
	}
	got := t.answered()
	if got == nil {
		return ""
	}
	if strings.Contains(err.Error(), "trailer") {
		return "the answer lost its trailers, without which gRPC has no status: a proxy drops them (in nginx: grpc_pass in place of proxy_pass). gRPC-Web and Connect do without"
	}
	switch got.code {
	case http.StatusBadRequest:
		if !got.isRPC() && !x.secure() {
			return fmt.Sprintf("%s: this port may want TLS; write https://%s", got, x.url.Host)
		}
	case http.StatusRequestEntityTooLarge:
		return got.String() + ": a proxy's limit on what is sent (in nginx: client_max_body_size)"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if !got.isRPC() {
			return got.String() + ": a proxy does not reach the server behind it"
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden, http.StatusUnsupportedMediaType, http.StatusOK:
		if !got.isRPC() {
			return got.String() + ": that is not Vitals' answer; is the address right, and does the proxy hand on every path and method?"
		}
	}
	return ""
}

// byCode adds what to do to the codes that mean something to do.
func byCode(err error, _ *transport, x *examination) string {
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return err.Error() + " (give a token with --token)"
	case connect.CodeDeadlineExceeded:
		return fmt.Sprintf("no answer within %s: a proxy may hold it back", x.Timeout)
	default:
		return ""
	}
}

func (a *answer) String() string {
	text := "HTTP " + a.status
	if a.contentType != "" {
		text += ", " + a.contentType
	}
	if a.by != "" {
		text += ", from " + a.by
	}
	return text
}

// isRPC says whether the content type is one of ours.
func (a *answer) isRPC() bool {
	for _, ours := range []string{"application/json", "application/proto", "application/connect+", "application/grpc", "text/xml"} {
		if strings.HasPrefix(a.contentType, ours) {
			return true
		}
	}
	return false
}
