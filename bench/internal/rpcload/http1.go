package rpcload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// http1Conn is one connection of HTTP/1.1, with one call at a time.
type http1Conn struct {
	load    *Load
	conn    net.Conn
	in      *bufio.Reader
	request []byte // all of it, the same each time
	end     time.Time
	answer  answer
	body    []byte
	result  Result
}

func (l *Load) dialHTTP1(ctx context.Context, end time.Time) (*http1Conn, error) {
	if l.Protocol == GRPC {
		return nil, errors.New("gRPC needs HTTP/2")
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	c := &http1Conn{load: l, conn: nc, in: bufio.NewReaderSize(nc, 16<<10), end: end, answer: answer{load: l, check: l.Check}}
	var head bytes.Buffer
	body := l.body()
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nhost: %s\r\ncontent-length: %d\r\n", l.Procedure, l.Addr, len(body))
	for pairs := l.header(); len(pairs) > 0; pairs = pairs[2:] {
		fmt.Fprintf(&head, "%s: %s\r\n", pairs[0], pairs[1])
	}
	head.WriteString("\r\n")
	c.request = append(head.Bytes(), body...)
	return c, nc.SetDeadline(end.Add(grace))
}

func (c *http1Conn) close() { _ = c.conn.Close() } // nothing is under way any more

func (c *http1Conn) made() Result { return c.result }

func (c *http1Conn) run() error {
	for time.Now().Before(c.end) {
		if err := c.call(); err != nil {
			return fmt.Errorf("after %d calls: %w", c.result.Calls, err)
		}
		c.result.Calls++
		c.result.Messages += c.answer.seen
	}
	return nil
}

func (c *http1Conn) call() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	c.answer.reset()
	length, err := c.head()
	if err != nil {
		return err
	}
	if length >= 0 {
		err = c.read(length)
	} else {
		err = c.readChunks()
	}
	if err != nil {
		return err
	}
	return c.answer.end()
}

// chunked stands for the length of a body that comes in chunks.
const chunked = -1

// head reads the status and the headers, and returns the body's length.
func (c *http1Conn) head() (length int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	version, status, _ := strings.Cut(line, " ")
	if version != "HTTP/1.1" {
		return 0, fmt.Errorf("%q is no answer of HTTP/1.1", line)
	}
	status, _, _ = strings.Cut(status, " ")
	c.answer.field(":status", status)
	for {
		if line, err = c.line(); err != nil || line == "" {
			return length, err
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name = strings.ToLower(name); name {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return 0, err
			}
		case "transfer-encoding":
			length = chunked
		default:
			c.answer.field(name, value)
		}
	}
}

func (c *http1Conn) line() (string, error) {
	line, err := c.in.ReadSlice('\n')
	return string(bytes.TrimRight(line, "\r\n")), err
}

func (c *http1Conn) read(n int) error {
	if cap(c.body) < n {
		c.body = make([]byte, n)
	}
	if _, err := io.ReadFull(c.in, c.body[:n]); err != nil {
		return err
	}
	return c.answer.data(c.body[:n])
}

func (c *http1Conn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := c.read(int(n)); err != nil {
				return err
			}
		}
		if line, err = c.line(); err != nil || line != "" {
			return fmt.Errorf("a chunk ends with %q: %w", line, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if n == 0 {
			return nil
		}
	}
}
