package listen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"
)

// plainRefuser tells callers who speak HTTP where TLS is spoken that they should
// say https. It goes below TLS.
type plainRefuser struct{ net.Listener }

func (l plainRefuser) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &firstRead{Conn: conn}, nil
}

// errPlain ends a connection of a caller who speaks HTTP without TLS.
var errPlain = errors.New("the caller speaks HTTP without TLS")

// firstRead looks at the first bytes that come, which TLS reads.
type firstRead struct {
	net.Conn
	seen bool
}

// Read is called by one goroutine at a time, as TLS does.
func (c *firstRead) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.seen || n == 0 {
		return n, err
	}
	c.seen = true
	if !looksPlain(p[:n]) {
		return n, err
	}
	c.refuse(p[:n])
	return 0, errPlain
}

// looksPlain says whether bytes begin a request of HTTP. A TLS handshake begins
// with 0x16, which no method does.
func looksPlain(p []byte) bool {
	for _, method := range []string{"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH ", "CONNECT ", "TRACE ", "PRI * HTTP/2.0"} {
		if n := min(len(p), len(method)); string(p[:n]) == method[:n] {
			return true
		}
	}
	return false
}

// refuseTime bounds the answer to such a caller.
const refuseTime = 5 * time.Second

// longestRefused is how much is read of such a caller's request.
const longestRefused = 256 << 10

func (c *firstRead) refuse(first []byte) {
	_ = c.SetDeadline(time.Now().Add(refuseTime))
	request := io.LimitReader(io.MultiReader(bytes.NewReader(bytes.Clone(first)), c.Conn), longestRefused)
	if bytes.HasPrefix(first, []byte("PRI")) {
		c.refuseHTTP2()
	} else {
		c.refuseHTTP1(request)
	}
	// Closing with something unread would reset the connection, answer and all.
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, request)
}

func (c *firstRead) refuseHTTP1(request io.Reader) {
	url := "https://" + c.LocalAddr().String()
	if r, err := http.ReadRequest(bufio.NewReader(request)); err == nil && r.Host != "" {
		url = "https://" + r.Host + r.URL.Path
	}
	body := tellTLS + url + "\n"
	_, _ = fmt.Fprintf(c.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body) // the caller may be gone
}

// refuseHTTP2 answers with SETTINGS and GOAWAY (RFC 9113, sections 6.5 and 6.8),
// whose text clients show. No stream was looked at.
func (c *firstRead) refuseHTTP2() {
	framer := http2.NewFramer(c.Conn, nil)
	_ = framer.WriteSettings()
	_ = framer.WriteGoAway(0, http2.ErrCodeInadequateSecurity, []byte(tellTLS+"https://"+c.LocalAddr().String()))
}

const tellTLS = "this port speaks TLS; call "
