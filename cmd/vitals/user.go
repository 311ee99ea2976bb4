package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
)

func newUser() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Keep the users of a server",
		Long: `Keep the users of a server. On the server's machine these commands work on its
data folder, whether the server runs or not: so the first admin is made. From
elsewhere, --server and an admin's token reach it.

Roles: viewer reads; agent reports for the host of its name; operator does both,
for any host, and changes settings; admin does everything.`,
		Example: `  vitals user add alice --role admin
  vitals user add grafana --role viewer --new-token
  vitals user list --server https://vitals.example.com
  vitals user role bob operator
  vitals user delete bob`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newUserAdd(), newUserList(), newUserRole(), newUserPassword(), newUserDelete())
	return cmd
}

func newUserAdd() *cobra.Command {
	var c accountCommand
	var role, email string
	var withPassword, withToken bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user. With --password it is asked for (or read from standard input, where
that is no terminal), and the user can sign in on the page; with --new-token a
token is made and printed, this once.`,
		Example: `  vitals user add alice --role admin --password
  vitals user add ci --role viewer --new-token > token.txt`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &usersv1.CreateUserRequest{Name: args[0], Email: email}
			var err error
			if req.Role, err = parseRole(role); err != nil {
				return err
			}
			if withPassword {
				if req.Password, err = newPassword(cmd, args[0]); err != nil {
					return err
				}
			}
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.CreateUser(ctx, req)
				if err != nil {
					return err
				}
				u := res.GetUser()
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is here now, with the role %s\n", u.GetName(), roleName(u.GetRole()))
				switch {
				case withToken:
					return createToken(ctx, accounts, cmd, c.output, &usersv1.CreateTokenRequest{Name: "first", User: u.GetName()})
				case c.output == "json":
					return printJSON(cmd.OutOrStdout(), res)
				case !withPassword:
					fmt.Fprintf(cmd.ErrOrStderr(), "Give it a way in: 'vitals user password %s' or 'vitals token create --user %s NAME'\n", u.GetName(), u.GetName())
				}
				return nil
			})
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&role, "role", "viewer", "`role`: viewer, agent, operator or admin")
	f.StringVar(&email, "email", "", "`address`, for people to know")
	f.BoolVar(&withPassword, "password", false, "ask for a password")
	f.BoolVar(&withToken, "new-token", false, "make a token and print it, this once")
	mustComplete(cmd, "role", roleNames()...)
	return cmd
}

func newUserList() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "  vitals user list\n  vitals user list -o json | jq -r '.users[].name'",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.ListUsers(ctx, &usersv1.ListUsersRequest{})
				if err != nil || c.output == "json" {
					return printUnlessError(cmd, res, err)
				}
				rows := [][]string{{"ID", "NAME", "ROLE", "PASSWORD", "CREATED", "EMAIL"}}
				for _, u := range res.GetUsers() {
					rows = append(rows, []string{strconv.Itoa(int(u.GetId())), u.GetName(), roleName(u.GetRole()), yesNo(u.GetHasPassword()), when(u.GetCreated()), u.GetEmail()})
				}
				return printTable(cmd.OutOrStdout(), rows...)
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func newUserRole() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:     "role NAME ROLE",
		Short:   "Change what a user may do, with the tokens that it has too",
		Example: "  vitals user role bob operator",
		Args:    usage(cobra.ExactArgs(2)),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return roleNames(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			role, err := parseRole(args[1])
			if err != nil {
				return err
			}
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				res, err := accounts.SetRole(ctx, &usersv1.SetRoleRequest{User: args[0], Role: role})
				if err != nil || c.output == "json" {
					return printUnlessError(cmd, res, err)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has the role %s now\n", res.GetUser().GetName(), roleName(res.GetUser().GetRole()))
				return nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func newUserPassword() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:   "password NAME",
		Short: "Set a user's password and end its sessions",
		Long: `Set a user's password, of 10 characters or more, and end its sessions. It is
asked for, or read from standard input where that is no terminal. Who is no admin
is asked for the old one too.`,
		Example: `  vitals user password alice
  vitals user password alice < password.txt`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				req := &usersv1.SetPasswordRequest{User: args[0]}
				who, err := accounts.WhoAmI(ctx, &usersv1.WhoAmIRequest{})
				if err != nil {
					return err
				}
				if roleName(who.GetRole()) != "admin" {
					if req.OldPassword, err = askSecret(cmd, "Old password"); err != nil {
						return err
					}
				}
				if req.Password, err = newPassword(cmd, args[0]); err != nil {
					return err
				}
				if _, err := accounts.SetPassword(ctx, req); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has a new password; its sessions have ended\n", args[0])
				return nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func newUserDelete() *cobra.Command {
	var c accountCommand
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Remove a user and its tokens",
		Example: "  vitals user delete bob",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd, func(ctx context.Context, accounts usersv1connect.AccountServiceHandler) error {
				if _, err := accounts.DeleteUser(ctx, &usersv1.DeleteUserRequest{User: args[0]}); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s and its tokens are gone\n", args[0])
				return nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
