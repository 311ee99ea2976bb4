package agent

import (
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
)

// growAgain is how long a size that a server has refused is not tried again. The
// server may be another one by then, or have been told to take more.
const growAgain = 10 * time.Minute

// messageSize is how many bytes of records the sender puts into a message: half as
// many when a server takes none as large, twice as many again when it took them.
type messageSize struct {
	mu      sync.Mutex
	bytes   int
	refused int       // the least that was too large
	at      time.Time // when
}

func newMessageSize() *messageSize { return &messageSize{bytes: messageBytes} }

func (m *messageSize) get() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// shrink notes that a message with so many bytes of records was too large.
func (m *messageSize) shrink(size int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused, m.at = size, now
	m.bytes = max(1, min(m.bytes, size)/2)
}

// grow notes that a message with so many bytes of records was taken.
func (m *messageSize) grow(size int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	larger := min(2*m.bytes, messageBytes)
	if 2*size < m.bytes || larger >= m.refused && now.Sub(m.at) < growAgain {
		return // it says nothing of larger ones, or they were refused
	}
	m.bytes = larger
}

// tooLarge reports whether a server refused a message for its size. There is one
// code for all that is too much; the words are connect's and grpc's.
func tooLarge(err error) bool {
	return connect.CodeOf(err) == connect.CodeResourceExhausted && strings.Contains(err.Error(), "larger than")
}
