package rpc

import (
	"cmp"
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
)

// defaultEvents is how many events a page has unless told otherwise.
const defaultEvents = 100

// AccountService implements users.v1.AccountService.
type AccountService struct {
	Accounts *account.Directory
	// Hostname is the server's own host, which no agent may enrol as.
	Hostname string
}

var _ usersv1connect.AccountServiceHandler = (*AccountService)(nil)

// WhoAmI tells a caller who it is.
func (s *AccountService) WhoAmI(ctx context.Context, _ *usersv1.WhoAmIRequest) (*usersv1.WhoAmIResponse, error) {
	caller := account.CallerFrom(ctx)
	out := &usersv1.WhoAmIResponse{
		Name:         caller.Name,
		Role:         access.ToProto(caller.Role),
		By:           string(caller.By),
		Hostname:     caller.Hostname,
		Expires:      timestamp(caller.Expires),
		AccountsHold: s.Accounts.HasAdmin(),
	}
	if u, err := s.Accounts.User(caller.User); err == nil {
		out.User = userMessage(u)
	}
	return out, nil
}

// SignIn begins a session.
func (s *AccountService) SignIn(ctx context.Context, req *usersv1.SignInRequest) (*usersv1.SignInResponse, error) {
	secret, t, err := s.Accounts.SignIn(ctx, req.GetName(), req.GetPassword(), account.CallerFrom(ctx).Peer)
	if err != nil {
		return nil, err
	}
	return &usersv1.SignInResponse{Secret: secret.Reveal(), Token: s.tokenMessage(t)}, nil
}

// SignOut ends the caller's token.
func (s *AccountService) SignOut(ctx context.Context, _ *usersv1.SignOutRequest) (*usersv1.SignOutResponse, error) {
	return &usersv1.SignOutResponse{}, s.Accounts.SignOut(ctx, account.CallerFrom(ctx))
}

// Enrol gives an agent its token.
func (s *AccountService) Enrol(ctx context.Context, req *usersv1.EnrolRequest) (*usersv1.EnrolResponse, error) {
	if req.GetHostname() == s.Hostname {
		return nil, connect.Errorf(connect.CodePermissionDenied, "host %q is the server's own, which reports without a token; give the agent another name with --hostname", s.Hostname)
	}
	secret, t, err := s.Accounts.Enrol(ctx, account.CallerFrom(ctx), req.GetHostname(), req.GetHostId())
	if err != nil {
		return nil, err
	}
	return &usersv1.EnrolResponse{Secret: secret.Reveal(), Token: s.tokenMessage(t)}, nil
}

// CreateUser adds a user.
func (s *AccountService) CreateUser(ctx context.Context, req *usersv1.CreateUserRequest) (*usersv1.CreateUserResponse, error) {
	role := account.Viewer
	if req.GetRole() != authv1.Role_ROLE_UNSPECIFIED {
		role, _ = access.FromProto(req.GetRole()) // what is no user's role the directory refuses
	}
	u, err := s.Accounts.CreateUser(ctx, account.CallerFrom(ctx), account.NewUser{
		Name: req.GetName(), Email: req.GetEmail(), Role: role, Password: req.GetPassword(),
	})
	if err != nil {
		return nil, err
	}
	return &usersv1.CreateUserResponse{User: userMessage(u)}, nil
}

// ListUsers returns everyone.
func (s *AccountService) ListUsers(context.Context, *usersv1.ListUsersRequest) (*usersv1.ListUsersResponse, error) {
	out := &usersv1.ListUsersResponse{}
	for _, u := range s.Accounts.Users() {
		out.Users = append(out.Users, userMessage(u))
	}
	return out, nil
}

// SetRole changes a user's role.
func (s *AccountService) SetRole(ctx context.Context, req *usersv1.SetRoleRequest) (*usersv1.SetRoleResponse, error) {
	role, _ := access.FromProto(req.GetRole()) // what is no user's role the directory refuses
	u, err := s.Accounts.SetRole(ctx, account.CallerFrom(ctx), req.GetUser(), role)
	if err != nil {
		return nil, err
	}
	return &usersv1.SetRoleResponse{User: userMessage(u)}, nil
}

// SetPassword changes a password.
func (s *AccountService) SetPassword(ctx context.Context, req *usersv1.SetPasswordRequest) (*usersv1.SetPasswordResponse, error) {
	return &usersv1.SetPasswordResponse{}, s.Accounts.SetPassword(ctx, account.CallerFrom(ctx), req.GetUser(), req.GetPassword(), req.GetOldPassword())
}

// DeleteUser removes a user.
func (s *AccountService) DeleteUser(ctx context.Context, req *usersv1.DeleteUserRequest) (*usersv1.DeleteUserResponse, error) {
	return &usersv1.DeleteUserResponse{}, s.Accounts.DeleteUser(ctx, account.CallerFrom(ctx), req.GetUser())
}

// CreateToken makes a token.
func (s *AccountService) CreateToken(ctx context.Context, req *usersv1.CreateTokenRequest) (*usersv1.CreateTokenResponse, error) {
	role, _ := access.FromProto(req.GetRole()) // none: the user's own
	secret, t, err := s.Accounts.CreateToken(ctx, account.CallerFrom(ctx), account.NewToken{
		Name:     req.GetName(),
		Kind:     kindOf[req.GetKind()],
		User:     req.GetUser(),
		Role:     role,
		Hostname: req.GetHostname(),
		Lifetime: req.GetLifetime().AsDuration(),
		MaxUses:  int(req.GetMaxUses()),
	})
	if err != nil {
		return nil, err
	}
	return &usersv1.CreateTokenResponse{Secret: secret.Reveal(), Token: s.tokenMessage(t)}, nil
}

// ListTokens returns the tokens that the caller may see.
func (s *AccountService) ListTokens(ctx context.Context, _ *usersv1.ListTokensRequest) (*usersv1.ListTokensResponse, error) {
	out := &usersv1.ListTokensResponse{}
	for _, t := range s.Accounts.Tokens(account.CallerFrom(ctx)) {
		out.Tokens = append(out.Tokens, s.tokenMessage(t))
	}
	return out, nil
}

// RotateToken changes a token's secret.
func (s *AccountService) RotateToken(ctx context.Context, req *usersv1.RotateTokenRequest) (*usersv1.RotateTokenResponse, error) {
	secret, t, err := s.Accounts.RotateToken(ctx, account.CallerFrom(ctx), req.GetId())
	if err != nil {
		return nil, err
	}
	return &usersv1.RotateTokenResponse{Secret: secret.Reveal(), Token: s.tokenMessage(t)}, nil
}

// RevokeToken removes a token.
func (s *AccountService) RevokeToken(ctx context.Context, req *usersv1.RevokeTokenRequest) (*usersv1.RevokeTokenResponse, error) {
	return &usersv1.RevokeTokenResponse{}, s.Accounts.RevokeToken(ctx, account.CallerFrom(ctx), req.GetId())
}

// ListEvents returns what was done.
func (s *AccountService) ListEvents(ctx context.Context, req *usersv1.ListEventsRequest) (*usersv1.ListEventsResponse, error) {
	events, err := s.Accounts.Events(ctx, cmp.Or(int(req.GetLimit()), defaultEvents), req.GetBefore())
	if err != nil {
		return nil, err
	}
	out := &usersv1.ListEventsResponse{}
	for _, e := range events {
		out.Events = append(out.Events, &usersv1.Event{
			Id: e.ID, Time: timestamp(e.Time), Actor: e.Actor, Action: e.Action, Target: e.Target, Detail: e.Detail, Peer: e.Peer,
		})
	}
	return out, nil
}

// kindOf are the kinds as the domain has them.
var kindOf = map[usersv1.TokenKind]account.Kind{
	usersv1.TokenKind_TOKEN_KIND_USER:      account.UserToken,
	usersv1.TokenKind_TOKEN_KIND_AGENT:     account.AgentToken,
	usersv1.TokenKind_TOKEN_KIND_ENROLMENT: account.EnrolmentToken,
	usersv1.TokenKind_TOKEN_KIND_SESSION:   account.SessionToken,
}

func kindMessage(kind account.Kind) usersv1.TokenKind {
	for k, other := range kindOf {
		if other == kind {
			return k
		}
	}
	return usersv1.TokenKind_TOKEN_KIND_UNSPECIFIED
}

func userMessage(u account.User) *usersv1.Account {
	return &usersv1.Account{
		Id: u.ID, Name: u.Name, Email: u.Email, Role: access.ToProto(u.Role), HasPassword: u.Password != "", Created: timestamp(u.Created),
	}
}

func (s *AccountService) tokenMessage(t account.Token) *usersv1.Token {
	out := &usersv1.Token{
		Id:        t.ID,
		Kind:      kindMessage(t.Kind),
		Name:      t.Name,
		Role:      access.ToProto(t.Role),
		Hostname:  t.Hostname,
		HostId:    t.HostID,
		Created:   timestamp(t.Created),
		CreatedBy: t.CreatedBy,
		Expires:   timestamp(t.Expires),
		LastUsed:  timestamp(t.LastUsed),
		Uses:      int32(t.Uses),    //nolint:gosec // never more than MaxTokens
		MaxUses:   int32(t.MaxUses), //nolint:gosec // came as an int32
	}
	if u, err := s.Accounts.User(t.User); err == nil {
		out.User = u.Name
	}
	return out
}

// timestamp is unset for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
