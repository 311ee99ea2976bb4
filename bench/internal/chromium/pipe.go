package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// message is what goes over the pipe, in either direction.
type message struct {
	ID      int64           `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error,omitempty"`
}

// pipe speaks the DevTools protocol as --remote-debugging-pipe has it: JSON
// messages, each ended by a zero byte.
type pipe struct {
	out    io.Writer
	ended  chan struct{}
	mu     sync.Mutex // guards what follows, and writing
	last   int64
	waits  map[int64]chan message
	events map[string]func(json.RawMessage) // by session and method
}

func newPipe(in io.Reader, out io.Writer) *pipe {
	p := &pipe{out: out, ended: make(chan struct{}), waits: map[int64]chan message{}, events: map[string]func(json.RawMessage){}}
	go p.read(bufio.NewReaderSize(in, 1<<20))
	return p
}

// read hands on what comes until the browser ends.
func (p *pipe) read(in *bufio.Reader) {
	defer close(p.ended)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var params json.RawMessage
		m := message{Params: &params}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue // no answer that anybody waits for
		}
		p.mu.Lock()
		wait, event := p.waits[m.ID], p.events[m.Session+" "+m.Method]
		delete(p.waits, m.ID)
		p.mu.Unlock()
		if wait != nil {
			wait <- m
		} else if event != nil {
			event(params)
		}
	}
}

var errEnded = errors.New("the browser has ended")

// post sends a request; its answer comes over the channel.
func (p *pipe) post(session, method string, params any) (<-chan message, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	text, err := json.Marshal(message{ID: p.last, Session: session, Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	answer := make(chan message, 1)
	p.waits[p.last] = answer
	_, err = p.out.Write(append(text, 0))
	return answer, err
}

// call sends a request and waits for its answer; a nil into drops that.
func (p *pipe) call(ctx context.Context, session, method string, params, into any) error {
	answer, err := p.post(session, method, params)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s %s", method, m.Error.Message, m.Error.Data)
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(m.Result, into)
	case <-p.ended:
		return fmt.Errorf("%s: %w", method, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// on calls do with each event of a kind, in the order in which they come; do must
// not call the browser.
func (p *pipe) on(session, method string, do func(json.RawMessage)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events[session+" "+method] = do
}
