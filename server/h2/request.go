package h2

import (
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"

	"golang.org/x/net/http2"
)

// serve is a request's life in its worker's goroutine.
func (st *stream) serve() {
	defer st.leave()
	h := st.head
	if !h.large && st.serveDirect() {
		h.release()
		return
	}
	st.head = nil
	if h.large {
		h.release()
		st.answer(http.StatusRequestHeaderFieldsTooLarge, "the request's header is too large")
		return
	}
	err := st.makeRequest(h)
	h.release()
	if err != nil {
		st.answer(http.StatusBadRequest, "the request's path cannot be understood")
		return
	}
	st.handle()
}

// handle runs the handler.
func (st *stream) handle() {
	returned := false
	defer st.rescue(&returned)
	st.c.handler.ServeHTTP((*responseWriter)(st), st.req)
	returned = true
	st.end(st.collectTrailers())
}

// rescue is deferred around what may panic, which costs its own stream and no
// more.
func (st *stream) rescue(returned *bool) {
	if *returned {
		return
	}
	problem := recover()
	if problem != nil && problem != http.ErrAbortHandler { //nolint:errorlint // it is a panic's value
		stack := make([]byte, 64<<10)
		stack = stack[:runtime.Stack(stack, false)]
		st.c.logf("http2: panic serving %s: %v\n%s", st.c.remote, problem, stack)
	}
	st.resetUnended()
}

// resetUnended resets a stream whose response nobody will end.
func (st *stream) resetUnended() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.reset(http2.ErrCodeInternal, errHandlerOver)
}

// leave lets go of what only the handler needed. The stream may live on until its
// response is sent.
func (st *stream) leave() {
	c := st.c
	st.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	st.handlerOver = true
	c.running--
	putBuffer(st.resp.buf)
	st.resp.buf = nil
	putFields(st.resp.snapshot)
	st.resp.snapshot = nil
	if !st.bodyClosed {
		st.bodyClosed = true
		st.dropBody(errBodyClosed)
	}
	if st.deadline != nil && (st.gone || st.localClosed) {
		st.deadline.Stop()
	}
}

// answer is a response that no handler gives.
func (st *stream) answer(status int, text string) {
	st.req = &http.Request{}
	w := (*responseWriter)(st)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.WriteString(text + "\n") // the caller is gone
	st.end(nil)
}

// blank is what requests are copied from: WithContext is the only way to give a
// request its context, and makes a copy.
var blank = new(http.Request)

func (st *stream) makeRequest(h *head) error {
	req := blank.WithContext((*streamContext)(st))
	st.req = req
	req.Method, req.Host, req.RequestURI = h.method, h.authority, h.path
	req.Proto, req.ProtoMajor = "HTTP/2.0", 2
	req.RemoteAddr, req.TLS = st.c.remote, st.c.tls
	req.Header = h.header(req)
	st.isHead = h.method == http.MethodHead
	var err error
	if h.method == http.MethodConnect {
		req.URL, req.RequestURI = &url.URL{Host: h.authority}, h.authority
	} else if req.URL, err = parsePath(h.path); err != nil {
		return err
	}
	req.ContentLength = h.length
	st.c.mu.Lock()
	whole := st.remoteClosed && st.body == nil && st.received == 0
	if h.length != 0 && !whole && strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		st.expects = st.received == 0 && !st.remoteClosed
	}
	st.c.mu.Unlock()
	if whole {
		req.Body = http.NoBody
		req.ContentLength = max(h.length, 0)
	} else {
		req.Body = (*requestBody)(st)
	}
	return nil
}

// parsePath parses :path. Those of procedures are plain and need no parser.
func parsePath(path string) (*url.URL, error) {
	for i := range len(path) {
		if c := path[i]; c != '/' && c != '.' && c != '-' && c != '_' && (c < '0' || '9' < c && c < 'A' || 'Z' < c && c < 'a' || 'z' < c) {
			return parseAnyPath(path)
		}
	}
	if strings.HasPrefix(path, "//") {
		return parseAnyPath(path)
	}
	return &url.URL{Path: path}, nil
}

var errPath = errors.New("h2: not a path")

func parseAnyPath(path string) (*url.URL, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, errPath
	}
	return u, nil
}

// header makes the map that handlers see. One slice holds the values of all
// names that come once.
func (h *head) header(req *http.Request) http.Header {
	header := make(http.Header, len(h.fields))
	values := make([]string, len(h.fields))
	var cookies []string
	for _, f := range h.fields {
		key := CanonicalName(f.Name)
		switch f.Name {
		case "cookie":
			if h.cookies > 1 {
				cookies = append(cookies, f.Value)
				continue
			}
		case "trailer":
			announce(req, f.Value)
			continue
		case "host":
			if req.Host == "" {
				req.Host = f.Value
			}
			continue
		}
		if known := header[key]; known != nil {
			header[key] = append(known, f.Value)
			continue
		}
		values[0] = f.Value
		header[key], values = values[:1:1], values[1:]
	}
	if cookies != nil {
		header["Cookie"] = []string{strings.Join(cookies, "; ")} // RFC 9113, section 8.2.3
	}
	return header
}

// announce takes the names of the trailers that the client says will come.
func announce(req *http.Request, value string) {
	for key := range strings.SplitSeq(value, ",") {
		key = http.CanonicalHeaderKey(strings.TrimSpace(key))
		if key == "" || forbiddenTrailer(key) {
			continue
		}
		if req.Trailer == nil {
			req.Trailer = make(http.Header)
		}
		req.Trailer[key] = nil
	}
}
