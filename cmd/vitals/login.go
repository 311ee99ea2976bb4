package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vitals-rpc/vitals/client"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
)

func newLogin() *cobra.Command {
	c := caller{output: "table"}
	var user string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Keep a token for a server, so that later commands need none",
		Long: `Keep a token for a server in your configuration folder, readable by you alone.
With --user a password is asked for and a session begun, which lasts a week;
without, a token is asked for. Either is read from standard input where that is
no terminal.`,
		Example: `  vitals login --server https://vitals.example.com --user alice
  vitals login < token.txt`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.explain(runLogin(cmd, &c, user))
		},
	}
	c.connectionFlags(cmd)
	cmd.Flags().StringVar(&user, "user", "", "`name` to sign in with, by password")
	return cmd
}

func runLogin(cmd *cobra.Command, c *caller, user string) error {
	if inClear(c.servers.servers) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Anyone between here and %s can read what you type now, for it is not https\n", &c.servers)
	}
	ctx := cmd.Context()
	token := c.credentials.token
	switch {
	case user != "":
		password, err := askSecret(cmd, "Password of "+user)
		if err != nil {
			return err
		}
		cl, err := c.dialAnonymously()
		if err != nil {
			return err
		}
		defer cl.Close()
		res, err := cl.Accounts().SignIn(ctx, &usersv1.SignInRequest{Name: user, Password: password})
		if err != nil {
			return err
		}
		token = res.GetSecret()
	case !c.credentials.given():
		var err error
		if token, err = askSecret(cmd, "Token"); err != nil {
			return err
		}
	}
	if user != "" || token != "" {
		c.credentials = tokenConfig{token: token}
	}
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	who, err := cl.Accounts().WhoAmI(ctx, &usersv1.WhoAmIRequest{})
	if err != nil {
		return err
	}
	if token, err = c.credentials.find(c.servers.servers); err != nil {
		return err
	}
	if err := keepLogin(c.servers.servers, token); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Signed in at %s as %s, role %s\n", &c.servers, who.GetName(), roleName(who.GetRole()))
	return nil
}

// dialAnonymously is dial without a token.
func (c *caller) dialAnonymously() (*client.Client, error) {
	protocol, err := client.ParseProtocol(c.protocol)
	if err != nil {
		return nil, usageError{err}
	}
	return c.servers.dial(c.trust.options(client.WithProtocol(protocol), client.WithTimeout(c.timeout))...)
}

func newLogout() *cobra.Command {
	c := caller{output: "table"}
	cmd := &cobra.Command{
		Use:     "logout",
		Short:   "Forget the token kept for a server, and end the session",
		Example: "  vitals logout --server https://vitals.example.com",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			logins, err := readLogins()
			if err != nil {
				return err
			}
			token := logins[serverKey(c.servers.servers)]
			if token == "" {
				return fmt.Errorf("there is no login for %s", &c.servers)
			}
			if err := keepLogin(c.servers.servers, ""); err != nil {
				return err
			}
			if strings.HasPrefix(token, "vitals_session_") {
				c.credentials = tokenConfig{token: token}
				cl, err := c.dial()
				if err != nil {
					return err
				}
				defer cl.Close()
				if _, err := cl.Accounts().SignOut(cmd.Context(), &usersv1.SignOutRequest{}); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "The token is forgotten here; the session goes on at the server until it expires: %v\n", err)
				}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Signed out of %s\n", &c.servers)
			return nil
		},
	}
	c.connectionFlags(cmd)
	return cmd
}

func newWhoAmI() *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "Tell who a server takes you for",
		Example: "  vitals whoami --server https://vitals.example.com",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.dial()
			if err != nil {
				return err
			}
			defer cl.Close()
			who, err := cl.Accounts().WhoAmI(cmd.Context(), &usersv1.WhoAmIRequest{})
			if err != nil {
				return c.explain(err)
			}
			if c.output == "json" {
				return printJSON(cmd.OutOrStdout(), who)
			}
			return printTable(cmd.OutOrStdout(),
				[]string{"NAME", "ROLE", "BY", "HOST", "EXPIRES", "ACCOUNTS"},
				[]string{who.GetName(), roleName(who.GetRole()), who.GetBy(), who.GetHostname(), when(who.GetExpires()), yesNo(who.GetAccountsHold())})
		},
	}
	c.flags(cmd)
	return cmd
}

func newAudit() *cobra.Command {
	var c accountCommand
	var limit int32
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Show what was done to accounts, tokens and settings, the newest first",
		Example: "  vitals audit --limit 20\n  vitals audit --server https://vitals.example.com -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.ListEvents(ctx, &usersv1.ListEventsRequest{Limit: limit})
				if err != nil || c.output == "json" {
					return printUnlessError(cmd, res, err)
				}
				rows := [][]string{{"ID", "TIME", "WHO", "DID", "TO", "DETAIL", "FROM"}}
				for _, e := range res.GetEvents() {
					rows = append(rows, []string{strconv.FormatInt(e.GetId(), 10), when(e.GetTime()), e.GetActor(), e.GetAction(), e.GetTarget(), e.GetDetail(), e.GetPeer()})
				}
				return printTable(cmd.OutOrStdout(), rows...)
			})
		},
	}
	c.flags(cmd)
	cmd.Flags().Int32Var(&limit, "limit", 50, "how `many`, 1000 at most")
	return cmd
}

// askSecret reads a line that nobody should see: from the terminal without
// showing it, or else from standard input.
func askSecret(cmd *cobra.Command, what string) (string, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is small
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
		line, err := term.ReadPassword(int(f.Fd())) //nolint:gosec // the same
		fmt.Fprintln(cmd.ErrOrStderr())
		return strings.TrimSpace(string(line)), err
	}
	line, err := readLine(in)
	if line = strings.TrimSpace(line); line == "" {
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return "", usageError{fmt.Errorf("%s: nothing came from standard input", strings.ToLower(what))}
	}
	return line, nil
}

// readLine reads no further than a line's end, for the next secret may follow.
func readLine(in io.Reader) (string, error) {
	if b, ok := in.(*bufio.Reader); ok {
		return b.ReadString('\n')
	}
	var line []byte
	one := make([]byte, 1)
	for len(line) < 4096 {
		n, err := in.Read(one)
		if n == 1 && one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[:n]...)
		if err != nil {
			return string(line), err
		}
	}
	return string(line), nil
}

// newPassword asks for a new password, on a terminal twice.
func newPassword(cmd *cobra.Command, name string) (string, error) {
	password, err := askSecret(cmd, "New password of "+name)
	if err != nil {
		return "", err
	}
	if f, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is small
		again, err := askSecret(cmd, "Again")
		if err != nil {
			return "", err
		}
		if again != password {
			return "", errors.New("the two are not the same")
		}
	}
	return password, nil
}
