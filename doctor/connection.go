package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/pin"
)

// certificateWarning is how long before its end a certificate is worth a warning.
const certificateWarning = 14 * 24 * time.Hour

// connection looks at all that comes before the first request, and says whether
// there is a server to ask.
func (x *examination) connection() bool {
	ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
	defer cancel()
	if x.socket != "" {
		return x.reach(ctx, "unix", "socket")
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, x.url.Hostname())
	if err != nil {
		x.add(Check{Group: "connection", Name: "address", Outcome: Fails,
			Detail: fmt.Sprintf("the name %s has no address: %v; is it spelt right, and does this machine's DNS know it?", x.url.Hostname(), err)})
		return false
	}
	x.add(Check{Group: "connection", Name: "address", Outcome: Works, Detail: strings.Join(addresses, ", ")})
	return x.reach(ctx, "tcp", "tcp") && (!x.secure() || x.handshake(ctx))
}

// reach opens a connection and closes it; name is the check's.
func (x *examination) reach(ctx context.Context, network, name string) bool {
	start := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, network, x.hostPort())
	if err != nil {
		x.add(Check{Group: "connection", Name: name, Outcome: Fails, Detail: explain(err, nil, x)})
		return false
	}
	x.add(Check{Group: "connection", Name: name, Outcome: Works, Detail: conn.RemoteAddr().String(), Milliseconds: milliseconds(time.Since(start))})
	return conn.Close() == nil
}

// handshake speaks TLS, first as every call will. Where that fails the
// certificate is looked at all the same, to say what is wrong with it.
func (x *examination) handshake(ctx context.Context) bool {
	start := time.Now()
	state, err := x.dialTLS(ctx, x.tlsConfig("h2", "http/1.1"))
	if err != nil {
		check := Check{Group: "connection", Name: "tls", Outcome: Fails, Detail: explain(err, nil, x)}
		blind := x.tlsConfig("h2", "http/1.1")
		blind.InsecureSkipVerify = true //nolint:gosec // only to read the certificate that was refused
		blind.VerifyConnection = nil
		if state, err := x.dialTLS(ctx, blind); err == nil && len(state.PeerCertificates) > 0 {
			check.Detail += "; it is " + describe(state.PeerCertificates[0])
		}
		x.add(check)
		return false
	}
	protocol := state.NegotiatedProtocol
	if protocol == "" {
		protocol = "no protocol agreed, so HTTP/1.1"
	}
	x.add(Check{Group: "connection", Name: "tls", Outcome: Works, Milliseconds: milliseconds(time.Since(start)),
		Detail: fmt.Sprintf("%s, %s", tls.VersionName(state.Version), protocol)})
	x.certificate(state.PeerCertificates[0])
	return true
}

func (x *examination) certificate(c *x509.Certificate) {
	check := Check{Group: "connection", Name: "certificate", Outcome: Works, Detail: describe(c)}
	if left := time.Until(c.NotAfter); left < certificateWarning {
		check.Outcome = Warns
		check.Detail += fmt.Sprintf("; it ends in %s: renew it", left.Round(time.Hour))
	}
	x.add(check)
}

func describe(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprintf("for %s, by %s, until %s, %s",
		strings.Join(names, " "), c.Issuer, c.NotAfter.Format(time.DateOnly), pin.Of(c))
}

func (x *examination) dialTLS(ctx context.Context, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", x.hostPort())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, errors.Join(errors.New("no TLS connection"), conn.Close())
	}
	return secured.ConnectionState(), conn.Close()
}

// tlsConfig is the caller's own, offering these protocols.
func (x *examination) tlsConfig(protocols ...string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if x.TLS != nil {
		config = x.TLS.Clone()
	}
	config.NextProtos = protocols
	if config.ServerName == "" {
		config.ServerName = x.url.Hostname()
	}
	return config
}

// hostPort is the target's address, with the scheme's port where it names none, or
// the path of its socket.
func (x *examination) hostPort() string {
	if x.socket != "" {
		return x.socket
	}
	port := x.url.Port()
	switch {
	case port != "":
	case x.secure():
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(x.url.Hostname(), port)
}
