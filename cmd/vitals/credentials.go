package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/client"
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
	for _, server := range servers {
		u, err := url.Parse(serverKey([]string{server}))
		if err != nil || u.Scheme == "https" || strings.HasSuffix(u.Scheme, "+https") {
			continue
		}
		host := u.Hostname()
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// serverKey is the URL of the first server, always written the same.
func serverKey(servers []string) string {
	if len(servers) == 0 {
		return ""
	}
	server := servers[0]
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	return strings.ToLower(strings.TrimRight(server, "/"))
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
// that is whole after a crash too.
func writeSecretFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping a secret: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping a secret in %s: %w", path, err)
			_ = os.Remove(f.Name()) // it may be gone already
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
