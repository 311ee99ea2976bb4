package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/users"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func registerUndeclared(calls *connect.Server) {
	calls.Register(connect.Method{
		Spec:    connect.Spec{Procedure: "/test.Undeclared/Call"},
		Handler: func(context.Context, connect.Spec, connect.ServerStream) error { return nil },
	})
}

func TestUserService(t *testing.T) {
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		srv := servertest.NewServer(t, server.Options{})
		c := srv.Client(conn).Users()
		alice, err := c.CreateUser(t.Context(), &users.CreateUserRequest{Name: "alice", Email: "alice@example.com"})
		if err != nil || alice.GetId() != 1 || alice.GetName() != "alice" || len(alice.GetRoles()) != 1 || alice.GetRoles()[0] != "viewer" {
			t.Fatalf("%v, %v", alice, err)
		}
		f := func(want connect.Code, name, email string) {
			t.Helper()
			if _, err := c.CreateUser(t.Context(), &users.CreateUserRequest{Name: name, Email: email}); connect.CodeOf(err) != want {
				t.Errorf("%q %q: %v, want %v", name, email, err, want)
			}
		}
		f(connect.CodeAlreadyExists, "Alice", "")
		f(connect.CodeInvalidArgument, "", "")
		f(connect.CodeInvalidArgument, "a b", "")
		f(connect.CodeInvalidArgument, "bob", "nowhere")
		if _, err := c.CreateUser(t.Context(), &users.CreateUserRequest{Name: "bob"}); err != nil {
			t.Fatal(err)
		}
		if got, err := c.GetUser(t.Context(), &users.GetUserRequest{Id: 2}); err != nil || got.GetName() != "bob" {
			t.Errorf("%v, %v", got, err)
		}
		if _, err := c.GetUser(t.Context(), &users.GetUserRequest{Id: 3}); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%v", err)
		}
		stream, err := c.ListUsers(t.Context(), &users.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for {
			u, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, u.GetName())
		}
		if strings.Join(names, " ") != "alice bob" {
			t.Errorf("%q", names)
		}
	})
}

func TestAccountService(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	as := func(who string) interface {
		CreateToken(context.Context, *usersv1.CreateTokenRequest) (*usersv1.CreateTokenResponse, error)
		ListTokens(context.Context, *usersv1.ListTokensRequest) (*usersv1.ListTokensResponse, error)
		RevokeToken(context.Context, *usersv1.RevokeTokenRequest) (*usersv1.RevokeTokenResponse, error)
		SetRole(context.Context, *usersv1.SetRoleRequest) (*usersv1.SetRoleResponse, error)
		SetPassword(context.Context, *usersv1.SetPasswordRequest) (*usersv1.SetPasswordResponse, error)
		DeleteUser(context.Context, *usersv1.DeleteUserRequest) (*usersv1.DeleteUserResponse, error)
		SignIn(context.Context, *usersv1.SignInRequest) (*usersv1.SignInResponse, error)
		WhoAmI(context.Context, *usersv1.WhoAmIRequest) (*usersv1.WhoAmIResponse, error)
		ListEvents(context.Context, *usersv1.ListEventsRequest) (*usersv1.ListEventsResponse, error)
	} {
		return srv.Client(servertest.Connections()[0], client.WithToken(p.secrets[who])).Accounts()
	}
	f := func(what string, err error, want connect.Code) {
		t.Helper()
		if want == 0 && err != nil || want != 0 && connect.CodeOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	ctx := t.Context()
	create := func(who string, req *usersv1.CreateTokenRequest) error {
		_, err := as(who).CreateToken(ctx, req)
		return err
	}
	f("a viewer's own token", create("viewer", &usersv1.CreateTokenRequest{Name: "mine"}), 0)
	f("a viewer's token for the admin", create("viewer", &usersv1.CreateTokenRequest{Name: "x", User: "admin"}), connect.CodePermissionDenied)
	f("a viewer's token of a greater role", create("viewer", &usersv1.CreateTokenRequest{Name: "x", Role: authv1.Role_ROLE_ADMIN}), connect.CodeInvalidArgument)
	f("a viewer's enrolment token", create("viewer", &usersv1.CreateTokenRequest{Name: "x", Kind: usersv1.TokenKind_TOKEN_KIND_ENROLMENT}), connect.CodePermissionDenied)
	f("an agent's token for itself", create("agent of "+agentsHost, &usersv1.CreateTokenRequest{Name: "x"}), connect.CodePermissionDenied)
	f("a session by hand", create("admin", &usersv1.CreateTokenRequest{Name: "x", Kind: usersv1.TokenKind_TOKEN_KIND_SESSION}), connect.CodeInvalidArgument)
	f("an agent's token without a host", create("admin", &usersv1.CreateTokenRequest{Name: "x", Kind: usersv1.TokenKind_TOKEN_KIND_AGENT}), connect.CodeInvalidArgument)

	tokens, err := as("viewer").ListTokens(ctx, &usersv1.ListTokensRequest{})
	if err != nil || len(tokens.GetTokens()) != 2 {
		t.Errorf("a viewer sees %v, %v", tokens, err)
	}
	_, err = as("viewer").RevokeToken(ctx, &usersv1.RevokeTokenRequest{Id: p.tokens["admin"].ID})
	f("revoking another's token", err, connect.CodeNotFound)

	// A lesser token of an admin's cannot do what the admin can.
	p.give(t, srv.Accounts(), "admin's viewer", account.NewToken{Name: "v", User: "admin", Role: account.Viewer})
	_, err = as("admin's viewer").RevokeToken(ctx, &usersv1.RevokeTokenRequest{Id: p.tokens["admin"].ID})
	f("revoking a greater token", err, connect.CodePermissionDenied)
	_, err = as("admin's viewer").SetPassword(ctx, &usersv1.SetPasswordRequest{Password: "long enough now"})
	f("a password without the old one", err, connect.CodeUnauthenticated)

	_, err = as("admin").SetRole(ctx, &usersv1.SetRoleRequest{User: "admin", Role: authv1.Role_ROLE_VIEWER})
	f("the last admin's role", err, connect.CodeFailedPrecondition)
	_, err = as("admin").DeleteUser(ctx, &usersv1.DeleteUserRequest{User: "admin"})
	f("the last admin", err, connect.CodeFailedPrecondition)
	_, err = as("admin").DeleteUser(ctx, &usersv1.DeleteUserRequest{User: "nobody-here"})
	f("a user that there is not", err, connect.CodeNotFound)
	_, err = as("admin").SetRole(ctx, &usersv1.SetRoleRequest{User: "operator", Role: authv1.Role_ROLE_ANYONE})
	f("a role that is none", err, connect.CodeInvalidArgument)

	_, err = as("admin").SetPassword(ctx, &usersv1.SetPasswordRequest{User: "viewer", Password: "short"})
	f("a short password", err, connect.CodeInvalidArgument)
	_, err = as("admin").SetPassword(ctx, &usersv1.SetPasswordRequest{User: "viewer", Password: "correct horse"})
	f("a password", err, 0)
	_, err = as("nobody").SignIn(ctx, &usersv1.SignInRequest{Name: "viewer", Password: "wrong horse"})
	f("a wrong password", err, connect.CodeUnauthenticated)
	_, err = as("nobody").SignIn(ctx, &usersv1.SignInRequest{Name: "operator", Password: ""})
	f("a user without a password", err, connect.CodeUnauthenticated)
	session, err := as("nobody").SignIn(ctx, &usersv1.SignInRequest{Name: "Viewer", Password: "correct horse"})
	f("signing in", err, 0)
	p.secrets["session"] = session.GetSecret()
	who, err := as("session").WhoAmI(ctx, &usersv1.WhoAmIRequest{})
	if err != nil || who.GetName() != "viewer" || who.GetBy() != "session" || who.GetRole() != authv1.Role_ROLE_VIEWER {
		t.Errorf("%v, %v", who, err)
	}
	_, err = as("session").SetPassword(ctx, &usersv1.SetPasswordRequest{Password: "another horse", OldPassword: "correct horse"})
	f("one's own password", err, 0)
	_, err = as("session").WhoAmI(ctx, &usersv1.WhoAmIRequest{})
	f("a session of before", err, connect.CodeUnauthenticated)

	events, err := as("admin").ListEvents(ctx, &usersv1.ListEventsRequest{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, e := range events.GetEvents() {
		seen = append(seen, e.GetActor()+" "+e.GetAction()+" "+e.GetTarget())
	}
	for _, want := range []string{"the test user.create viewer", "viewer token.create user token \"mine\"", "admin user.password viewer", "viewer session.begin session token \"session\""} {
		if !slices.Contains(seen, want) {
			t.Errorf("no event %q in %q", want, seen)
		}
	}
	if len(srv.Log.Lines("msg=audit", "actor=viewer", "action=token.create")) != 1 {
		t.Error("the log does not have the event")
	}
}

// TestEveryChangeIsRecorded makes each change of accounts over the wire: the newest
// event tells who did it, what, to what and from where, and a change that is refused
// leaves none.
func TestEveryChangeIsRecorded(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	as := func(who string) usersv1connect.AccountServiceClient {
		return srv.Client(servertest.Connections()[0], client.WithToken(p.secrets[who])).Accounts()
	}
	newest := func() *usersv1.Event {
		t.Helper()
		events, err := as("admin").ListEvents(t.Context(), &usersv1.ListEventsRequest{Limit: 1})
		if err != nil || len(events.GetEvents()) != 1 {
			t.Fatal(events, err)
		}
		return events.GetEvents()[0]
	}
	f := func(err error, actor, action, target string) {
		t.Helper()
		e := newest()
		if err != nil || e.GetActor() != actor || e.GetAction() != action || !strings.Contains(e.GetTarget(), target) || !strings.HasPrefix(e.GetPeer(), "127.0.0.1") || time.Since(e.GetTime().AsTime()) > time.Minute {
			t.Errorf("%v; want that %s did %s to %s, got %v", err, actor, action, target, e)
		}
	}
	ctx := t.Context()
	_, err := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["admin"])).Users().CreateUser(ctx, &users.CreateUserRequest{Name: "bob"})
	f(err, "admin", "user.create", "bob")
	made, err := as("admin").CreateToken(ctx, &usersv1.CreateTokenRequest{Name: "laptop", User: "bob"})
	f(err, "admin", "token.create", "laptop")
	_, err = as("admin").RotateToken(ctx, &usersv1.RotateTokenRequest{Id: made.GetToken().GetId()})
	f(err, "admin", "token.rotate", "laptop")
	_, err = as("admin").RevokeToken(ctx, &usersv1.RevokeTokenRequest{Id: made.GetToken().GetId()})
	f(err, "admin", "token.revoke", "laptop")
	_, err = as("admin").SetRole(ctx, &usersv1.SetRoleRequest{User: "bob", Role: authv1.Role_ROLE_OPERATOR})
	f(err, "admin", "user.role", "bob")
	_, err = as("admin").SetPassword(ctx, &usersv1.SetPasswordRequest{User: "bob", Password: "correct horse"})
	f(err, "admin", "user.password", "bob")
	session, err := as("nobody").SignIn(ctx, &usersv1.SignInRequest{Name: "bob", Password: "correct horse"})
	f(err, "bob", "session.begin", "session")
	p.secrets["bob"] = session.GetSecret()
	_, err = as("bob").SignOut(ctx, &usersv1.SignOutRequest{})
	f(err, "bob", "session.end", "bob")
	_, err = as("enrolment").Enrol(ctx, &usersv1.EnrolRequest{Hostname: "web-9", HostId: "id"})
	f(err, "enrolment fleet", "agent.enrol", "web-9")
	_, err = as("admin").DeleteUser(ctx, &usersv1.DeleteUserRequest{User: "bob"})
	f(err, "admin", "user.delete", "bob")

	last := newest().GetId()
	if _, err := as("operator").DeleteUser(ctx, &usersv1.DeleteUserRequest{User: "viewer"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Error(err)
	}
	if _, err := as("admin").DeleteUser(ctx, &usersv1.DeleteUserRequest{User: "admin"}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Error(err)
	}
	if e := newest(); e.GetId() != last {
		t.Errorf("a refused change has left %v", e)
	}
}

// Everything that a server writes, searched for everything that is secret.
func TestSecretsAreNowhere(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	const password, wrong = "correct horse battery", "wrong horse battery"
	if err := srv.Accounts().SetPassword(t.Context(), owner, "viewer", password, ""); err != nil {
		t.Fatal(err)
	}
	unknown := account.NewSecret(account.UserToken).Reveal()
	secrets := []string{password, wrong, unknown, unknown[:40]}
	var answers strings.Builder
	say := func(a answer) { answers.WriteString(text(a)) }
	for who, secret := range p.secrets {
		if secret == "" {
			continue
		}
		secrets = append(secrets, secret)
		for _, way := range ways {
			for _, proc := range procedures(t) {
				if strings.HasSuffix(proc.path, "/WhoAmI") || strings.HasSuffix(proc.path, "/ListTokens") || strings.HasSuffix(proc.path, "/ListEvents") {
					answers.WriteString(way(t, srv, srv.HTTP2(), proc, p.header(who)))
				}
			}
		}
	}
	for _, token := range []string{unknown, unknown[:40], unknown + "x"} {
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", asJSON, "Authorization: Bearer "+token))
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/session", `{"token":"`+token+`"}`, asJSON))
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/session", `{"name":"`+token+`","password":"x"}`, asJSON))
	}
	for _, path := range []string{"/session", "/users.v1.AccountService/SignIn"} {
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, `{"name":"viewer","password":"`+wrong+`"}`, asJSON))
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, `{"name":"`+password+`","password":"x"}`, asJSON))
		say(send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, `{"name":7,"password":"`+password+`"}`, asJSON))
	}
	say(send(t, srv.HTTP1(), http.MethodGet, srv.URL+"/metrics", "", p.header("admin")))
	for name, written := range map[string]string{"the log": srv.Log.String(), "an answer": answers.String()} {
		for _, secret := range secrets {
			if strings.Contains(written, secret) {
				t.Errorf("%s has the secret %.16s…", name, secret)
			}
		}
	}
}
