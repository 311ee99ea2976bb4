package h2

import "sync"

// Buffers are pooled by size, and nothing else is: no user code ever holds one.
var pools = [...]struct {
	size int
	pool sync.Pool
}{{size: 512}, {size: 4 << 10}, {size: 16 << 10}, {size: 64 << 10}, {size: 256 << 10}}

// buffer is a pooled slice. It is passed by pointer so that returning it costs
// no allocation.
type buffer struct{ b []byte }

// getBuffer gives an empty buffer with room for n bytes.
func getBuffer(n int) *buffer {
	for i := range pools {
		if n > pools[i].size {
			continue
		}
		if b, ok := pools[i].pool.Get().(*buffer); ok {
			return b
		}
		return &buffer{make([]byte, 0, pools[i].size)}
	}
	return &buffer{make([]byte, 0, n)}
}

// putBuffer takes a buffer back, whatever it has grown to.
func putBuffer(b *buffer) {
	if b == nil {
		return
	}
	for i := len(pools) - 1; i >= 0; i-- {
		if c := cap(b.b); c >= pools[i].size {
			if c > 2*pools[i].size && i == len(pools)-1 {
				return // too large to keep
			}
			b.b = b.b[:0]
			pools[i].pool.Put(b)
			return
		}
	}
}

// grow makes room for n more bytes, moving to a larger pooled buffer.
func (b *buffer) grow(n int) *buffer {
	if cap(b.b)-len(b.b) >= n {
		return b
	}
	larger := getBuffer(max(len(b.b)+n, 2*cap(b.b)))
	larger.b = append(larger.b, b.b...)
	putBuffer(b)
	return larger
}
