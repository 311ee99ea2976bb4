package h2

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// readLoop handles one frame after the other until the connection ends. What it
// returns is a connError where the peer has made a mistake that ends all.
func (c *conn) readLoop() error {
	for first := true; ; first = false {
		h, err := c.framer.ReadFrameHeader()
		if err != nil {
			return frameError(err)
		}
		c.waitWhileHeld()
		if first && h.Type != http2.FrameSettings {
			return connError{http2.ErrCodeProtocol, "the first frame is " + h.Type.String() + ", not SETTINGS"}
		}
		err = c.readFrame(h)
		if err == nil {
			continue
		}
		mistake, ok := errors.AsType[streamError](err)
		if !ok {
			return err
		}
		if err := c.refuse(mistake); err != nil {
			return err
		}
	}
}

// waitWhileHeld waits for the end of what [responseWriter.HoldBack] has asked for.
func (c *conn) waitWhileHeld() {
	for until := instant(c.heldUntil.Load()); until != 0; until = instant(c.heldUntil.Load()) {
		time.Sleep(until.since(now()))
		c.heldUntil.CompareAndSwap(int64(until), 0)
	}
}

// malformed is what a frame's parser says, as an error of ours.
func malformed(h http2.FrameHeader, err error) error {
	var se http2.StreamError
	switch {
	case !errors.As(err, &se):
		return frameError(err)
	case h.Type == http2.FrameHeaders:
		return connError{http2.ErrCodeProtocol, "malformed HEADERS"} // its block is lost, and HPACK's state with it
	}
	return streamError{se.StreamID, se.Code, "malformed " + h.Type.String()}
}

// frameError makes the Framer's errors ours.
func frameError(err error) error {
	var ce http2.ConnectionError
	switch {
	case errors.As(err, &ce):
		return connError{http2.ErrCode(ce), "malformed frame"}
	case errors.Is(err, http2.ErrFrameTooLarge):
		return connError{http2.ErrCodeFrameSize, "a frame is larger than SETTINGS_MAX_FRAME_SIZE"}
	}
	return err
}

// readFrame reads a frame's payload and handles it. DATA goes from the reader's
// buffer to its stream with no copy on the way; the rest is small and parsed by
// the Framer.
func (c *conn) readFrame(h http2.FrameHeader) error {
	if h.Type == http2.FrameData {
		return c.readData(h)
	}
	if err := c.beforeBlock(h); err != nil {
		return err
	}
	if h.Type == http2.FrameHeaders && c.in.buffered() >= int(h.Length) && h.Flags|http2.FlagHeadersEndStream == plainHeaders && h.Length > 0 {
		return c.readPlainHeaders(h)
	}
	f, err := c.framer.ReadFrameForHeader(h)
	if err != nil {
		return malformed(h, err)
	}
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.ContinuationFrame:
		return c.onContinuation(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dying {
		return nil
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		err = c.onSettings(f)
	case *http2.PingFrame:
		c.onPing(f)
	case *http2.RSTStreamFrame:
		err = c.onReset(f)
	case *http2.WindowUpdateFrame:
		err = c.onWindowUpdate(f)
	case *http2.PriorityFrame:
		err = c.onPriority(f)
	case *http2.GoAwayFrame:
		// The peer opens no more streams; those that run are answered.
	case *http2.PushPromiseFrame:
		return connError{http2.ErrCodeProtocol, "a client sent PUSH_PROMISE"}
	default: // unknown types are ignored: RFC 9113, section 5.5
		if !c.allowed.priority.spend(c.lastRead) {
			return tooMany("frames of unknown types")
		}
	}
	if err == nil && c.out.replies > maxReplies {
		return tooMany("frames that want an answer, from a peer that reads none")
	}
	return err
}

// plainHeaders are the flags of HEADERS that need no parser.
const plainHeaders = http2.FlagHeadersEndStream | http2.FlagHeadersEndHeaders

// readPlainHeaders handles a HEADERS frame that is nothing but its block, all of it
// in one piece in the reader's buffer: nearly every one.
func (c *conn) readPlainHeaders(h http2.FrameHeader) error {
	fragment, err := c.in.next(int(h.Length))
	if err != nil {
		return err
	}
	return c.beginBlock(h.StreamID, h.Flags.Has(http2.FlagHeadersEndStream), false, fragment, true)
}

// tooMany is how floods end.
func tooMany(what string) error {
	return connError{http2.ErrCodeEnhanceYourCalm, "too many " + what}
}

func (c *conn) onPing(f *http2.PingFrame) {
	if f.IsAck() {
		c.onPingAck(f.Data)
		return
	}
	c.out.pingAck(f.Data)
	c.flush()
}

func (c *conn) onPriority(f *http2.PriorityFrame) error {
	if !c.allowed.priority.spend(c.lastRead) {
		return tooMany("PRIORITY frames")
	}
	if f.StreamDep == f.StreamID {
		return streamError{f.StreamID, http2.ErrCodeProtocol, "a stream depends on itself"}
	}
	return nil
}

func (c *conn) onReset(f *http2.RSTStreamFrame) error {
	st := c.streams[f.StreamID]
	if st == nil {
		if c.idle(f.StreamID) {
			return connError{http2.ErrCodeProtocol, "RST_STREAM for a stream that was never opened"}
		}
		c.closed.forget(f.StreamID) // it has crossed our own; but no more may come after it
		return nil
	}
	st.abort(resetError{f.ErrCode})
	if !c.allowed.resets.spend(c.lastRead) {
		return tooMany("streams opened and reset")
	}
	return nil
}

// idle reports whether a stream has not been opened yet.
func (c *conn) idle(id uint32) bool { return id > c.lastID || id%2 == 0 }

// refuse resets the stream that a frame was wrong for. A peer that is wrong again
// and again is done with.
func (c *conn) refuse(e streamError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.countError("stream_" + e.code.String())
	if !c.allowed.resets.spend(c.lastRead) {
		return tooMany("mistakes")
	}
	if st := c.streams[e.id]; st != nil {
		st.reset(e.code, e)
		return nil
	}
	c.closed.add(e.id, true)
	c.out.reset(e.id, e.code)
	c.flush()
	return nil
}

// memory is the ring of the streams that ended last.
type memory struct {
	ids  [closedMemory]uint32
	ours [closedMemory]bool // reset by us: the peer may not know yet
	next int
}

func (m *memory) add(id uint32, ours bool) {
	for i, known := range m.ids {
		if known == id {
			m.ours[i] = m.ours[i] || ours
			return
		}
	}
	m.ids[m.next], m.ours[m.next] = id, ours
	m.next = (m.next + 1) % closedMemory
}

// forget takes back that we reset a stream: the peer has done so too, and knows.
func (m *memory) forget(id uint32) {
	for i, known := range m.ids {
		if known == id {
			m.ours[i] = false
		}
	}
}

// find reports whether a stream is remembered, and whether it was reset by us.
func (m *memory) find(id uint32) (known, ours bool) {
	for i := range m.ids {
		if m.ids[i] == id {
			return true, m.ours[i]
		}
	}
	return false, false
}
