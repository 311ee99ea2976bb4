package h2

import (
	"io"
	"net/http"
	"os"
)

// requestBody is a request's body. One goroutine may read while another writes
// the response.
type requestBody stream

var _ io.ReadCloser = (*requestBody)(nil)

// Read implements io.Reader. It waits for the first byte, not for all of p. The last
// bytes come with io.EOF where the end is known already.
func (b *requestBody) Read(p []byte) (int, error) {
	st := (*stream)(b)
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.bodyClosed {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(p) == 0 {
		return 0, nil
	}
	if st.expects && !st.gone {
		st.sendContinue()
	}
	for st.body == nil {
		if st.bodyErr != nil {
			if st.bodyErr == io.EOF && st.trailersIn != nil { //nolint:errorlint // it is this very value
				st.takeTrailers()
			}
			return 0, st.bodyErr
		}
		st.startReadTimeout()
		if st.readDeadline.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		st.watchDeadline()
		st.readable.Wait()
	}
	n := copy(p, st.body.b[st.bodyRead:])
	st.bodyRead += n
	if st.bodyRead == len(st.body.b) {
		putBuffer(st.body) // a stream that says nothing for an hour holds none
		st.body, st.bodyRead = nil, 0
	}
	st.giveBack(n)
	if st.body == nil && st.bodyErr == io.EOF && st.trailersIn == nil { //nolint:errorlint // it is this very value
		return n, io.EOF
	}
	return n, nil
}

// startReadTimeout makes a deadline of a timeout that was set since the last wait.
func (st *stream) startReadTimeout() {
	if !st.readTimeoutNew {
		return
	}
	st.readTimeoutNew, st.readDeadline = false, 0
	if st.readTimeout > 0 {
		st.readDeadline = now().add(st.readTimeout)
	}
}

// Close implements io.Closer. What is still to come of the body is dropped.
func (b *requestBody) Close() error {
	st := (*stream)(b)
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if !st.bodyClosed {
		st.bodyClosed = true
		st.dropBody(errBodyClosed)
	}
	return nil
}

// takeTrailers moves the request's trailers to where handlers look for them. The
// handler's goroutine is the one that reads.
func (st *stream) takeTrailers() {
	for _, f := range st.trailersIn {
		if st.req == nil {
			break // a Direct has no use for them
		}
		key := CanonicalName(f.Name)
		if _, announced := st.req.Trailer[key]; announced {
			st.req.Trailer[key] = append(st.req.Trailer[key], f.Value)
		}
	}
	st.trailersIn = nil
}
