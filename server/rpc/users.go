package rpc

import (
	"context"

	"github.com/vitals-rpc/vitals/gen/users"
	"github.com/vitals-rpc/vitals/gen/users/usersconnect"
	"github.com/vitals-rpc/vitals/server/account"
)

// UserService implements the classic users.UserService.
type UserService struct{ Accounts *account.Directory }

var _ usersconnect.UserServiceHandler = (*UserService)(nil)

// CreateUser adds a viewer.
func (s *UserService) CreateUser(ctx context.Context, req *users.CreateUserRequest) (*users.User, error) {
	u, err := s.Accounts.CreateUser(ctx, account.CallerFrom(ctx), account.NewUser{Name: req.GetName(), Email: req.GetEmail(), Role: account.Viewer})
	if err != nil {
		return nil, err
	}
	return classicUser(u), nil
}

// GetUser returns one user.
func (s *UserService) GetUser(_ context.Context, req *users.GetUserRequest) (*users.User, error) {
	u, err := s.Accounts.User(req.GetId())
	if err != nil {
		return nil, err
	}
	return classicUser(u), nil
}

// ListUsers sends all users.
func (s *UserService) ListUsers(ctx context.Context, _ *users.Empty, stream usersconnect.UserServiceListUsersServerStream) error {
	for _, u := range s.Accounts.Users() {
		if err := stream.Send(classicUser(u)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func classicUser(u account.User) *users.User {
	return &users.User{Id: u.ID, Name: u.Name, Email: u.Email, Roles: []string{string(u.Role)}}
}
