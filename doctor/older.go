package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// olderCall is a call in one of the older protocols, as its clients send it.
type olderCall struct {
	protocol, path, contentType, body string
	// answer is the known one, as it stands in the body.
	answer string
}

var olderCalls = []olderCall{
	{"JSON-RPC", "/jsonrpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"add","params":[5,3]}`, `"result":8`},
	{
		"XML-RPC", "/RPC2", "text/xml",
		`<?xml version="1.0"?><methodCall><methodName>add</methodName><params>` +
			`<param><value><int>5</int></value></param><param><value><int>3</int></value></param></params></methodCall>`,
		`<int>8</int>`,
	},
}

// mostRead is how much of an answer is read.
const mostRead = 64 << 10

// older tries JSON-RPC and XML-RPC, which have unary calls alone.
func (x *examination) older(t *transport) {
	for _, o := range olderCalls {
		check := Check{Group: "calls", Name: unary, Protocol: o.protocol, Transport: t.name}
		x.try(&check, t, func(ctx context.Context) error { return o.call(ctx, x.Target, t) })
		x.add(check)
	}
}

func (o *olderCall) call(ctx context.Context, target string, t *transport) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target+o.path, strings.NewReader(o.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", o.contentType)
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // read as far as it is wanted
	body, err := io.ReadAll(io.LimitReader(res.Body, mostRead))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %s", res.Status)
	}
	squeezed := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, body)
	return known(nil, bytes.Contains(squeezed, []byte(o.answer)), "add(5, 3) gave %.200s", body)
}
