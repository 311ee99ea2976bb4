package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/client/balance"
	"github.com/vitals-rpc/vitals/durable"
)

// tokenConfig holds the flags by which every command that calls a server says who
// calls.
type tokenConfig struct{ token, file string }

func (c *tokenConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&c.token, "token", "", "`token` to call with; better in VITALS_TOKEN or a file, where other users of this machine do not see it (default: that of 'vitals login')")
	f.StringVar(&c.file, "token-file", "", "`file` with the token; it wins over --token")
}

// given reports whether the command line, the environment or the configuration
// names a token.
func (c *tokenConfig) given() bool { return c.token != "" || c.file != "" }

// find returns the token for servers that stand for one another, or "".
func (c *tokenConfig) find(servers []string) (string, error) {
	switch {
	case c.file != "":
		data, err := os.ReadFile(c.file)
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		token := strings.TrimSpace(string(data))
		if token == "" {
			return "", fmt.Errorf("token file %s is empty", c.file)
		}
		return token, nil
	case c.token != "":
		return c.token, nil
	}
	logins, err := readLogins()
	return logins[serverKey(servers)], err
}

// options adds the token to a client's options.
func (c *tokenConfig) options(servers []string, options ...client.Option) ([]client.Option, error) {
	token, err := c.find(servers)
	if err != nil || token == "" {
		return options, err
	}
	return append(options, client.WithToken(token)), nil
}

// inClear reports whether a token would go over a network as it is.
func inClear(servers []string) bool {
	return slices.ContainsFunc(servers, func(server string) bool {
		source, err := balance.ParseTarget(server, nil)
		if err != nil {
			return false // nothing will go there
		}
		switch s := source.(type) {
		case balance.Fixed:
			return leavesInClear(s[0].URL)
		case *balance.DNS:
			return leavesInClear(s.URL)
		case *balance.SRV:
			return s.Scheme != "https"
		}
		return false // a unix socket
	})
}

// leavesInClear reports whether what is sent to u leaves this machine as it is.
func leavesInClear(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme != "https" && !strings.EqualFold(u.Hostname(), "localhost") && (err != nil || !ip.IsLoopback())
}

// serverKey is the first server, always written the same: its scheme and host in
// small letters, for these are the same in any, and a path as it is.
func serverKey(servers []string) string {
	if len(servers) == 0 {
		return ""
	}
	source, err := balance.ParseTarget(servers[0], nil)
	if err != nil {
		return servers[0] // dialling it says what is wrong
	}
	switch s := source.(type) {
	case balance.Fixed:
		s[0].URL.Host = strings.ToLower(s[0].URL.Host)
	case *balance.DNS:
		s.URL.Host = strings.ToLower(s.URL.Host)
	case *balance.SRV:
		s.Name = strings.ToLower(s.Name)
	case balance.Unix:
		if path, err := filepath.Abs(string(s)); err == nil {
			source = balance.Unix(path)
		}
	}
	return source.Base().String()
}

// loginsFile is where 'vitals login' keeps tokens: JSON, from a server's URL to
// the token, readable by its owner alone.
func loginsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place to keep a login: %w", err)
	}
	return filepath.Join(dir, "vitals", "credentials.json"), nil
}

func readLogins() (map[string]string, error) {
	path, err := loginsFile()
	if err != nil {
		return nil, nil //nolint:nilerr // who has no home has no logins
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the logins: %w", err)
	}
	logins := map[string]string{}
	if err := json.Unmarshal(data, &logins); err != nil {
		return nil, fmt.Errorf("the logins in %s are no JSON map of servers to tokens; remove the file and log in again", path)
	}
	return logins, nil
}

// keepLogin keeps a server's token, or forgets it when it is "".
func keepLogin(servers []string, token string) error {
	logins, err := readLogins()
	if err != nil {
		return err
	}
	if logins == nil {
		logins = map[string]string{}
	}
	logins[serverKey(servers)] = token
	if token == "" {
		delete(logins, serverKey(servers))
	}
	data, err := json.MarshalIndent(logins, "", "  ")
	if err != nil {
		return err
	}
	path, err := loginsFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the login: %w", err)
	}
	return writeSecretFile(path, append(data, '\n'))
}

// writeSecretFile replaces a file by one that its owner alone can read, and
// that is there after a crash too.
func writeSecretFile(path string, data []byte) error {
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("keeping a secret in %s: %w", path, err)
	}
	return nil
}
