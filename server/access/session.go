package access

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/peer"
)

// The page's session cookie. Over TLS the __Host- prefix binds it to this host:
// no neighbour below the same domain can set it.
const (
	cookieName       = "vitals_session"
	secureCookieName = "__Host-vitals_session"
)

// sessionSecret returns the cookie's token, or "".
func sessionSecret(h header) string {
	value := h.Get("Cookie")
	if value == "" {
		return ""
	}
	cookies, err := http.ParseCookie(value)
	if err != nil {
		return ""
	}
	plain := ""
	for _, c := range cookies {
		switch c.Name {
		case secureCookieName:
			return c.Value
		case cookieName:
			plain = c.Value
		}
	}
	return plain
}

// Cookie is the session's cookie. Scripts cannot read it, and browsers send it
// from the server's own page only. A zero time lets it end with the browser.
func Cookie(r *http.Request, secret account.Secret, expires time.Time) *http.Cookie {
	c := cookie(r)
	c.Value = secret.Reveal()
	c.Expires = expires
	return c
}

// NoCookie removes the session's cookie.
func NoCookie(r *http.Request) *http.Cookie {
	c := cookie(r)
	c.MaxAge = -1
	return c
}

func cookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if p, _ := peer.From(r.Context()); p.Secure || r.TLS != nil {
		c.Name, c.Secure = secureCookieName, true
	}
	return c
}

// fromOwnPage reports whether a browser sent a request for the server's own page:
// another site's page must not act with the cookie of who looks at it.
func fromOwnPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "none": // typed into the address bar
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	case "":
		// Browsers leave it out over plain HTTP to what is not this machine.
		return sameOrigin(r)
	}
	return false
}

// sameOrigin reports whether the Origin header is of this server, or missing
// where browsers leave it out. A proxy may have changed Host; it says what it was
// in X-Forwarded-Host, which no page can send to another site by itself.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}
