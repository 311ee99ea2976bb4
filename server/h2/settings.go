package h2

import "golang.org/x/net/http2"

// onSettings takes the peer's settings over and acknowledges them.
func (c *conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if !c.allowed.settings.spend(c.lastRead) {
		return tooMany("SETTINGS frames")
	}
	c.gotSettings = true
	if err := f.ForeachSetting(c.onSetting); err != nil {
		return frameError(err)
	}
	c.out.settingsAck()
	c.pump()
	c.flush()
	return nil
}

func (c *conn) onSetting(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.out.hpack.SetMaxDynamicTableSize(s.Val) // up to encodeTableSize
		c.out.resized = true
	case http2.SettingMaxFrameSize:
		c.out.frameSize = int(min(s.Val, highWater)) // a larger one would only keep others waiting
	case http2.SettingInitialWindowSize:
		return c.setInitialWindow(int64(s.Val))
	}
	return nil // the rest is for who sends requests or pushes
}

// setInitialWindow changes the window of every stream, those that wait for it
// too: RFC 9113, section 6.9.2. It may make windows negative.
func (c *conn) setInitialWindow(n int64) error {
	change := n - c.initialWindow
	c.initialWindow = n
	for _, st := range c.streams {
		if st.sendWindow+change > maxWindow {
			return connError{http2.ErrCodeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE makes a window overflow"}
		}
		st.sendWindow += change
		if st.sendWindow > 0 {
			c.enqueue(st)
		}
	}
	return nil
}
