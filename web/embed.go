// Package web is the page that the server shows at /: its TypeScript sources,
// the build of them that is committed in dist/, and the handler that serves
// that build out of the binary.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

//go:embed all:dist
var dist embed.FS

// policy lets the page load what this server serves and nothing else, and no
// code or style that stands in the HTML itself. (uPlot sets style properties
// through the CSSOM, which a policy does not restrict.)
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	// cacheForever suits files whose name holds a hash of their content.
	cacheForever = "public, max-age=31536000, immutable"
	// cacheNever makes a browser ask each time whether its copy still holds.
	cacheNever = "no-cache"
)

// contentTypes is spelled out, since what the mime package answers depends on
// the machine: the Windows registry is known to call JavaScript text/plain.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".png":  "image/png",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
	// What makes the page installable.
	".webmanifest": "application/manifest+json",
}

// file is one file of the build and the headers that go with it.
type file struct {
	content     []byte
	contentType string
	cache       string
	etag        string
}

// Handler serves the page at / and at the addresses of its views, and the files
// that it needs. The address of a view with a slash at its end leads to the one
// without. Any other path is a 404 that says where the page is; a method other
// than GET and HEAD is a 405.
//
// Files below /assets/ have a hash of their content in their name and may be
// cached for ever. All else, the page first, is checked with the server each
// time by its ETag, so a new version of the server is a new page at once.
// Answers are compressed for clients that accept it. The handler keeps no
// state; it may serve any number of requests at the same time.
func Handler() http.Handler {
	files := load(dist)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		asked := r.URL.EscapedPath() // a host's name may hold a slash
		f, ok := files[address(asked)]
		isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
		view := strings.TrimRight(asked, "/")
		switch {
		case !ok && isRead && address(view) == "/":
			if r.URL.RawQuery != "" {
				view += "?" + r.URL.RawQuery
			}
			http.Redirect(w, r, view, http.StatusTemporaryRedirect)
		case !ok:
			http.Error(w, "There is nothing at this address. The page is at / and metrics are asked for by RPC.", http.StatusNotFound)
		case !isRead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This address answers GET and HEAD only.", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	})
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(512), gzhttp.EnableZstd(false), gzhttp.SuffixETag(gzipSuffix),
		gzhttp.ExceptContentTypes([]string{contentTypes[".png"]}))
	if err != nil {
		panic(fmt.Sprintf("web: gzhttp does not take its options: %v", err)) // constants all: a mistake in this file
	}
	return compress(page)
}

// hostsPath is below which each host has an address of its own.
const hostsPath = "/hosts/"

// address maps the addresses of the views, which a reader may reload and share,
// to the one page that draws them all: /hosts/NAME, /explore and /account, escaped as they were
// asked for. Any other path stays what it is, so that a mistyped one is a 404 and not an empty page.
func address(path string) string {
	if name, ok := strings.CutPrefix(path, hostsPath); ok && name != "" && !strings.Contains(name, "/") {
		return "/"
	}
	if path == "/explore" || path == "/account" {
		return "/"
	}
	return path
}

// gzipSuffix tells the ETag of a compressed answer from the ETag of the same
// bytes plain: a strong ETag names one sequence of bytes.
const gzipSuffix = "-gzip"

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.etag)
	if match := r.Header.Get("If-None-Match"); strings.Contains(match, gzipSuffix) {
		// The compressing wrapper adds the suffix on the way out and leaves
		// it to the handler on the way in.
		r = r.Clone(r.Context())
		r.Header.Set("If-None-Match", strings.ReplaceAll(match, gzipSuffix+`"`, `"`))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// load reads the build into a table from URL path to file.
func load(build fs.FS) map[string]file {
	files := make(map[string]file)
	err := fs.WalkDir(build, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(build, name)
		if err != nil {
			return err
		}
		kind, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("%s: no content type is known for it; add one to contentTypes", name)
		}
		url := strings.TrimPrefix(name, "dist")
		f := file{content: content, contentType: kind, cache: cacheNever, etag: etagOf(content)}
		if strings.HasPrefix(url, "/assets/") {
			f.cache = cacheForever
		}
		if url == "/index.html" {
			url = "/"
		}
		files[url] = f
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("web: the embedded build cannot be read: %v", err)) // it is part of the binary: a mistake at build time
	}
	return files
}

// etagOf returns a strong ETag of content.
func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}
