package main

import (
	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/client"
)

// trustConfig holds the flags of every command that calls a server over TLS.
type trustConfig struct {
	ca, cert, key string
	fingerprints  []string
}

func (c *trustConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&c.ca, "tls-ca", "", "PEM `file` with the authorities that may sign the server's certificate (default: the system's)")
	f.StringSliceVar(&c.fingerprints, "tls-fingerprint", nil, "SHA-256 `fingerprint` of the server's certificate, to trust that and no authority; may be repeated")
	f.StringVar(&c.cert, "tls-cert", "", "PEM `file` with the certificate to show to a server that asks for one")
	f.StringVar(&c.key, "tls-key", "", "PEM `file` with its private key")
}

// options adds what the flags say to a client's options.
func (c *trustConfig) options(options ...client.Option) []client.Option {
	if c.ca != "" {
		options = append(options, client.WithCA(c.ca))
	}
	if len(c.fingerprints) > 0 {
		options = append(options, client.WithFingerprint(c.fingerprints...))
	}
	if c.cert != "" || c.key != "" {
		options = append(options, client.WithClientCertificate(c.cert, c.key))
	}
	return options
}
