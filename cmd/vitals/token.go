package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Keep the tokens that callers come with",
		Long: `Keep the tokens that callers come with. A token is shown once, when it is made;
the server keeps its hash alone. On the server's machine these commands work on
its data folder; from elsewhere, --server and a token reach it. Admins see
everyone's tokens, others their own.`,
		Example: `  vitals token create ci --user alice --role viewer --expires 90d
  vitals token create fleet --enrol                 # one secret for a fleet's agents
  vitals token create web-1 --host web-1            # for one agent
  vitals token list
  vitals token revoke 7`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(), newTokenList(), newTokenRotate(), newTokenRevoke())
	return cmd
}

func newTokenCreate() *cobra.Command {
	var c accountCommand
	var role string
	var enrol bool
	var lifetime time.Duration
	req := &usersv1.CreateTokenRequest{}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, this once",
		Long: `Make a token and print it on standard output, this once. NAME is how people will
know it.

A user's token calls in the user's name (--user; your own by default), with the
user's role or a lesser one (--role). With --host the token is an agent's and may
report for that host alone. With --enrol it is a fleet's: give it to every agent
as --token-file, and each gets a token of its own on first contact.`,
		Example: `  vitals token create ci --user alice --role viewer --expires 90d
  vitals token create fleet --enrol --max-uses 100 > fleet.token`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Name = args[0]
			if err := describeToken(req, role, enrol, lifetime); err != nil {
				return usageError{err}
			}
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				return createToken(ctx, accounts, cmd, c.output, req)
			})
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&req.User, "user", "", "`name` of the user whose it is (default: you)")
	f.StringVar(&role, "role", "", "what it may do, if less than the user: `role` viewer, agent, operator or admin")
	f.StringVar(&req.Hostname, "host", "", "`name` of the host that an agent's token is for")
	f.BoolVar(&enrol, "enrol", false, "make an enrolment token, which gives agents tokens of their own")
	f.Int32Var(&req.MaxUses, "max-uses", 0, "how `many` agents an enrolment token may enrol (default: no limit)")
	f.Var(durationFlag(&lifetime, 0), "expires", "how long it lives, such as 90d (default: for ever; an enrolment token 30 days)")
	mustComplete(cmd, "role", roleNames()...)
	return cmd
}

func describeToken(req *usersv1.CreateTokenRequest, role string, enrol bool, lifetime time.Duration) (err error) {
	req.Kind = usersv1.TokenKind_TOKEN_KIND_USER
	switch {
	case enrol && req.GetHostname() != "":
		return errors.New("--enrol and --host do not go together: an enrolment token is for any host")
	case (enrol || req.GetHostname() != "") && (role != "" || req.GetUser() != ""):
		return errors.New("--user and --role are for users' tokens, not for agents'")
	case !enrol && req.GetMaxUses() != 0:
		return errors.New("--max-uses is for enrolment tokens: add --enrol")
	case enrol:
		req.Kind = usersv1.TokenKind_TOKEN_KIND_ENROLMENT
	case req.GetHostname() != "":
		req.Kind = usersv1.TokenKind_TOKEN_KIND_AGENT
	case role != "":
		if req.Role, err = parseRole(role); err != nil {
			return err
		}
	}
	if lifetime > 0 {
		req.Lifetime = durationpb.New(lifetime)
	}
	return nil
}

// createToken makes a token and prints its secret.
func createToken(ctx context.Context, accounts usersv1connect.AccountServiceHandler, cmd *cobra.Command, output string, req *usersv1.CreateTokenRequest) error {
	res, err := accounts.CreateToken(ctx, req)
	if err != nil || output == "json" {
		return printUnlessError(cmd, res, err)
	}
	return printSecret(cmd, res.GetSecret(), res.GetToken())
}

// printSecret prints the secret where scripts look for it, and what there is to
// say of it where people do.
func printSecret(cmd *cobra.Command, secret string, t *usersv1.Token) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "Token %d (%s), role %s, expires: %s. This is the only time it is shown:\n", t.GetId(), t.GetName(), roleName(t.GetRole()), when(t.GetExpires()))
	_, err := fmt.Fprintln(cmd.OutOrStdout(), secret)
	return err
}

// printUnlessError prints a response as JSON.
func printUnlessError(cmd *cobra.Command, res proto.Message, err error) error {
	if err != nil {
		return err
	}
	return printJSON(cmd.OutOrStdout(), res)
}

func newTokenList() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Example: "  vitals token list\n  vitals token list --server https://vitals.example.com -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.ListTokens(ctx, &usersv1.ListTokensRequest{})
				if err != nil || c.output == "json" {
					return printUnlessError(cmd, res, err)
				}
				rows := [][]string{{"ID", "KIND", "NAME", "FOR", "ROLE", "LAST USED", "EXPIRES", "MADE BY"}}
				for _, t := range res.GetTokens() {
					rows = append(rows, []string{strconv.FormatInt(t.GetId(), 10), kindName(t.GetKind()), t.GetName(), tokenIsFor(t), roleName(t.GetRole()), when(t.GetLastUsed()), when(t.GetExpires()), t.GetCreatedBy()})
				}
				return printTable(cmd.OutOrStdout(), rows...)
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func tokenIsFor(t *usersv1.Token) string {
	if t.GetKind() == usersv1.TokenKind_TOKEN_KIND_ENROLMENT {
		of := "any number"
		if t.GetMaxUses() > 0 {
			of = strconv.Itoa(int(t.GetMaxUses()))
		}
		return fmt.Sprintf("%d of %s enrolled", t.GetUses(), of)
	}
	return cmp.Or(t.GetUser(), t.GetHostname())
}

func newTokenRotate() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a token a new secret and print it, this once; the old one stops to work",
		Long: `Give a token a new secret and print it, this once. The old one stops to work at
once. Agents that an enrolment token has enrolled keep the tokens that they have.`,
		Example: "  vitals token rotate 3 > fleet.token",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := tokenID(args[0])
			if err != nil {
				return err
			}
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.RotateToken(ctx, &usersv1.RotateTokenRequest{Id: id})
				if err != nil || c.output == "json" {
					return printUnlessError(cmd, res, err)
				}
				return printSecret(cmd, res.GetSecret(), res.GetToken())
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func newTokenRevoke() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:     "revoke ID...",
		Short:   "Remove tokens: they stop to work at once, and their open streams end",
		Example: "  vitals token revoke 7",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				for _, arg := range args {
					id, err := tokenID(arg)
					if err != nil {
						return err
					}
					if _, err := accounts.RevokeToken(ctx, &usersv1.RevokeTokenRequest{Id: id}); err != nil {
						return fmt.Errorf("token %d: %w", id, err)
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "token %d is revoked\n", id)
				}
				return nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func tokenID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, usageError{fmt.Errorf("%q is no token's number: 'vitals token list' shows them", text)}
	}
	return id, nil
}
