package web_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/web"
)

// newServer serves the page over real HTTP and returns its address.
func newServer(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(web.Handler())
	tb.Cleanup(server.Close)
	return server.URL
}

// send sends a request and returns the answer, whose body is read already. It
// sets no Accept-Encoding by itself.
func send(tb testing.TB, method, url string, header ...string) (*http.Response, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res, string(body)
}

// assets returns the paths of the files that the page names.
func assets(tb testing.TB, page string) []string {
	tb.Helper()
	var paths []string // the logo is named twice, once as the icon
	for _, match := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(paths, match[1]) {
			paths = append(paths, match[1])
		}
	}
	return paths
}

func TestPageIsNeverStale(t *testing.T) {
	url := newServer(t)
	res, page := send(t, http.MethodGet, url+"/")
	if res.StatusCode != http.StatusOK || !strings.Contains(page, "<title>") {
		t.Fatalf("GET / answers %s, want the page", res.Status)
	}
	f := func(name, want string) {
		t.Helper()
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f("Content-Type", "text/html; charset=utf-8")
	f("Cache-Control", "no-cache")
	etag := res.Header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9a-f]{16,}"$`).MatchString(etag) {
		t.Errorf("ETag is %q, want a strong one", etag)
	}
	res, body := send(t, http.MethodGet, url+"/", "If-None-Match", etag)
	if res.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("with its ETag the page answers %s and %d bytes, want 304 and none", res.Status, len(body))
	}
	res, _ = send(t, http.MethodGet, url+"/", "If-None-Match", `"of-another-version"`)
	if res.StatusCode != http.StatusOK {
		t.Errorf("with another ETag the page answers %s, want 200", res.Status)
	}
}

// A view has a real address: reload, back and share work.
func TestViewsAreThePage(t *testing.T) {
	url := newServer(t)
	_, want := send(t, http.MethodGet, url+"/")
	for _, path := range []string{"/hosts/web-1", "/hosts/web-1?last=6h", "/hosts/db.example.com", "/hosts/a%20b", "/hosts/a%2Fb", "/hosts/%2F", "/explore?query=cpu", "/account?to=%2F"} {
		res, got := send(t, http.MethodGet, url+path)
		if res.StatusCode != http.StatusOK || got != want {
			t.Errorf("GET %s answers %s, want the page", path, res.Status)
		}
		if got := res.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("GET %s: Cache-Control is %q, want no-cache", path, got)
		}
	}
}

// A slash too many is no reason to show nothing.
func TestSlashAtTheEndOfAViewIsLeftOut(t *testing.T) {
	url := newServer(t)
	f := func(path, want string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusTemporaryRedirect || got != want {
			t.Errorf("GET %s answers %s and leads to %q, want %q", path, res.Status, got, want)
		}
	}
	f("/hosts/hub/", "/hosts/hub")
	f("/hosts/a%2Fb/?last=6h", "/hosts/a%2Fb?last=6h")
	f("/explore/?query=cpu", "/explore?query=cpu")
	f("/account//", "/account")
}

func TestAssetsAreCachedForEver(t *testing.T) {
	url := newServer(t)
	_, page := send(t, http.MethodGet, url+"/")
	types := map[string]string{"png": "image/png", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml", "webmanifest": "application/manifest+json"}
	found := make(map[string]bool)
	for _, path := range assets(t, page) {
		if !regexp.MustCompile(`-([0-9a-f]{10}|[0-9A-Z]{8})\.\w+$`).MatchString(path) {
			t.Errorf("%s has no hash in its name", path)
		}
		res, body := send(t, http.MethodGet, url+path)
		if res.StatusCode != http.StatusOK || body == "" {
			t.Errorf("GET %s answers %s and %d bytes", path, res.Status, len(body))
		}
		if got, want := res.Header.Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
		kind := path[strings.LastIndex(path, ".")+1:]
		if got, want := res.Header.Get("Content-Type"), types[kind]; got != want {
			t.Errorf("%s: Content-Type is %q, want %q", path, got, want)
		}
		found[kind] = true
	}
	if len(found) != len(types) {
		t.Errorf("the page names files of the kinds %v, want all of %v", found, types)
	}
}

// What the page loads later is served like the rest.
func TestEveryFileOfTheBuildIsServed(t *testing.T) {
	url := newServer(t)
	entries, err := os.ReadDir("dist/assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		res, body := send(t, http.MethodGet, url+"/assets/"+entry.Name())
		if res.StatusCode != http.StatusOK || body == "" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s answers %s, %d bytes, Cache-Control %q", entry.Name(), res.Status, len(body), res.Header.Get("Cache-Control"))
		}
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	url := newServer(t)
	_, page := send(t, http.MethodGet, url+"/")
	for _, path := range append(assets(t, page), "/", "/no-such-page") {
		res, _ := send(t, http.MethodGet, url+path)
		f := func(name, want string) {
			t.Helper()
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		f("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		f("X-Content-Type-Options", "nosniff")
		f("Referrer-Policy", "no-referrer")
	}
}

func TestPageHasNoInlineCode(t *testing.T) {
	_, page := send(t, http.MethodGet, newServer(t)+"/")
	for _, inline := range []string{`<script[^>]*>[^<]`, `<style`, ` style=`, ` on\w+=`, `javascript:`} {
		if found := regexp.MustCompile(inline).FindString(page); found != "" {
			t.Errorf("the page has inline code, which its policy forbids: %s", found)
		}
	}
}

func TestUnknownPathSaysWhereThePageIs(t *testing.T) {
	url := newServer(t)
	for _, path := range []string{"/no-such-page", "/index.html", "/assets/", "/assets/vitals.js", "/hosts", "/hosts/", "/hosts/a/b", "/hosts/a/b/", "/explore/a", "/../embed.go", "/%2e%2e/embed.go"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			res, body := send(t, method, url+path)
			if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "The page is at /") {
				t.Errorf("%s %s answers %s: %q", method, path, res.Status, body)
			}
			if got := res.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("%s %s: Content-Type is %q", method, path, got)
			}
		}
	}
}

func TestOnlyGetAndHead(t *testing.T) {
	url := newServer(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		res, _ := send(t, method, url+"/")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s / answers %s, Allow %q", method, res.Status, res.Header.Get("Allow"))
		}
	}
	get, page := send(t, http.MethodGet, url+"/")
	head, body := send(t, http.MethodHead, url+"/")
	if head.StatusCode != http.StatusOK || body != "" {
		t.Errorf("HEAD / answers %s and %d bytes", head.Status, len(body))
	}
	if got, want := head.Header.Get("Content-Length"), strconv.Itoa(len(page)); got != want {
		t.Errorf("HEAD / has Content-Length %q, want %s", got, want)
	}
	if got, want := head.Header.Get("ETag"), get.Header.Get("ETag"); got != want {
		t.Errorf("HEAD / has ETag %s, GET %s", got, want)
	}
}

func TestCompression(t *testing.T) {
	url := newServer(t)
	plain, page := send(t, http.MethodGet, url+"/")
	for _, path := range append(assets(t, page), "/") {
		_, want := send(t, http.MethodGet, url+path)
		res, packed := send(t, http.MethodGet, url+path, "Accept-Encoding", "gzip")
		if len(want) < 512 || strings.HasSuffix(path, ".png") {
			// Packing what is small, or packed already, makes it larger.
			if res.Header.Get("Content-Encoding") != "" || packed != want {
				t.Errorf("%s: encoding %q, want the file as it is", path, res.Header.Get("Content-Encoding"))
			}
			continue
		}
		if res.Header.Get("Content-Encoding") != "gzip" || len(packed) >= len(want) {
			t.Errorf("%s: %d bytes instead of %d, encoding %q", path, len(packed), len(want), res.Header.Get("Content-Encoding"))
			continue
		}
		if got, err := gunzip(packed); err != nil || got != want {
			t.Errorf("%s unpacks to something else (error %v)", path, err)
		}
		if !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s: Vary is %q, so a cache may mix the encodings up", path, res.Header.Values("Vary"))
		}
	}

	packed, _ := send(t, http.MethodGet, url+"/", "Accept-Encoding", "gzip")
	etag := packed.Header.Get("ETag")
	if etag == "" || etag == plain.Header.Get("ETag") {
		t.Errorf("compressed the ETag is %s, plain %s: a strong one names its bytes", etag, plain.Header.Get("ETag"))
	}
	res, _ := send(t, http.MethodGet, url+"/", "Accept-Encoding", "gzip", "If-None-Match", etag)
	if res.StatusCode != http.StatusNotModified {
		t.Errorf("with the ETag of the compressed page the answer is %s, want 304", res.Status)
	}
}

func gunzip(packed string) (string, error) {
	reader, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		return "", err
	}
	plain, err := io.ReadAll(reader)
	return string(plain), err
}

// The licenses of what the page is made of ask to go with it.
func TestLicensesAreServed(t *testing.T) {
	url := newServer(t)
	_, page := send(t, http.MethodGet, url+"/")
	if !strings.Contains(page, `rel="license" href="/licenses.txt"`) {
		t.Error("the page does not name its licenses")
	}
	_, text := send(t, http.MethodGet, url+"/licenses.txt")
	for _, name := range []string{"@bufbuild/protobuf", "@connectrpc/connect", "uplot", "Leon Sorokin"} {
		if !strings.Contains(text, name) {
			t.Errorf("licenses.txt does not name %s", name)
		}
	}
}

func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler()) // RPCs have patterns of their own, which win

	res := httptest.NewRecorder()
	mux.ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(res.Code, res.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
