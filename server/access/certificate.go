package access

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vitals-rpc/vitals/server/account"
)

// CertificateRole gives a role to client certificates by their common name.
type CertificateRole struct {
	prefix, suffix string // around the one *
	exact          bool   // there is no *
	role           account.Role
}

// ErrNotCertificateRole is the cause of a refusal of [ParseCertificateRole].
var ErrNotCertificateRole = errors.New("is not of the form CN=name:role")

// ParseCertificateRole reads CN=NAME:ROLE, where NAME may have one * for any
// text, as in CN=agent-*:agent. A certificate of role agent is for the host that
// the * stands for, or, where there is none, of that name.
func ParseCertificateRole(text string) (CertificateRole, error) {
	rest, ok := strings.CutPrefix(text, "CN=")
	colon := strings.LastIndexByte(rest, ':')
	if !ok || colon < 1 || strings.Count(rest[:max(colon, 0)], "*") > 1 {
		return CertificateRole{}, fmt.Errorf("client certificate role %q %w, such as CN=agent-*:agent", text, ErrNotCertificateRole)
	}
	role, err := account.ParseRole(rest[colon+1:])
	if err != nil {
		return CertificateRole{}, fmt.Errorf("client certificate role %q %w, such as CN=agent-*:agent: %w", text, ErrNotCertificateRole, err)
	}
	prefix, suffix, star := strings.Cut(rest[:colon], "*")
	return CertificateRole{prefix: prefix, suffix: suffix, exact: !star, role: role}, nil
}

// identity is who a certificate of that common name belongs to.
func (c CertificateRole) identity(name string) (account.Identity, bool) {
	host := name
	switch {
	case c.exact && name != c.prefix:
		return account.Identity{}, false
	case !c.exact:
		if len(name) <= len(c.prefix)+len(c.suffix) || !strings.HasPrefix(name, c.prefix) || !strings.HasSuffix(name, c.suffix) {
			return account.Identity{}, false
		}
		host = name[len(c.prefix) : len(name)-len(c.suffix)]
	}
	id := account.Identity{Name: "certificate " + name, Role: c.role, By: account.ByCertificate}
	if c.role == account.Agent {
		id.Hostname = host
	}
	return id, true
}
