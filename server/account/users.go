package account

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return invalidf("a user's name has 1 to 64 letters, digits and . _ - @ +, and begins with a letter or digit")
	}
	return nil
}

func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	name, domain, ok := strings.Cut(email, "@")
	if !ok || name == "" || domain == "" || len(email) > 254 || strings.ContainsAny(email, " \t\r\n<>,;\x00") {
		return invalidf("email is not of the form name@example.com")
	}
	return nil
}

// NewUser describes a user to be.
type NewUser struct {
	Name, Email string
	Role        Role
	// Password may be empty: the user comes by tokens alone.
	Password string
}

// CreateUser adds a user.
//
// Errors: *[InvalidError], [ErrExists], [ErrFull], [ErrBusy], [ErrUnavailable].
func (d *Directory) CreateUser(ctx context.Context, by Caller, in NewUser) (User, error) {
	if err := cmp.Or(checkName(in.Name), checkEmail(in.Email)); err != nil {
		return User{}, err
	}
	if _, err := ParseRole(string(in.Role)); err != nil {
		return User{}, err
	}
	u := User{Name: in.Name, Email: in.Email, Role: in.Role, Created: d.opts.Now()}
	if in.Password != "" {
		var err error
		if u.Password, err = d.hash(ctx, in.Password); err != nil {
			return User{}, err
		}
	}
	event := d.event(by, "user.create", u.Name, "role "+string(u.Role))
	u, err := d.opts.Store.AddUser(ctx, u, event)
	return u, d.did(ctx, event, err)
}

// Users returns all users, by id.
func (d *Directory) Users() []User {
	return slices.SortedFunc(maps.Values(d.current.Load().users), func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
}

// User returns the user with an id.
//
// Errors: [ErrNoUser].
func (d *Directory) User(id int32) (User, error) {
	u, ok := d.current.Load().users[id]
	if !ok {
		return User{}, ErrNoUser
	}
	return u, nil
}

// UserNamed returns the user of a name.
//
// Errors: [ErrNoUser].
func (d *Directory) UserNamed(name string) (User, error) {
	u, ok := d.current.Load().user(name)
	if !ok {
		return User{}, ErrNoUser
	}
	return u, nil
}

// SetRole changes what a user may do.
//
// Errors: *[InvalidError], [ErrNoUser], [ErrLastAdmin], [ErrUnavailable].
func (d *Directory) SetRole(ctx context.Context, by Caller, name string, role Role) (User, error) {
	if _, err := ParseRole(string(role)); err != nil {
		return User{}, err
	}
	u, err := d.UserNamed(name)
	if err != nil {
		return User{}, err
	}
	event := d.event(by, "user.role", u.Name, string(u.Role)+" to "+string(role))
	u.Role = role
	return u, d.did(ctx, event, d.opts.Store.SetRole(ctx, u.ID, role, event))
}

// SetPassword changes a user's password and ends its sessions; an empty name is
// the caller's own. Who is no admin has to know the old one, and to guess it is as
// slow as by [Directory.SignIn].
//
// Errors: *[InvalidError], *[DeniedError], [ErrCredentials], [ErrBusy],
// [ErrNoUser], [ErrUnavailable], *admission.RefusedError.
func (d *Directory) SetPassword(ctx context.Context, by Caller, name, password, old string) error {
	u, err := d.User(by.User)
	if name != "" {
		u, err = d.UserNamed(name)
	}
	if by.Role != Admin && (err != nil || u.ID != by.User) {
		return deniedf("only admins set the passwords of others")
	}
	if err != nil {
		return err
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	if by.Role != Admin {
		if err := d.prove(ctx, guesser(by.Peer, u.Name), old, u.Password); err != nil {
			return err
		}
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return err
	}
	event := d.event(by, "user.password", u.Name, "")
	if err := d.did(ctx, event, d.opts.Store.SetPassword(ctx, u.ID, hash, event)); err != nil {
		return err
	}
	return d.endSessions(ctx, by, u, 0)
}

// DeleteUser removes a user and its tokens.
//
// Errors: [ErrNoUser], [ErrLastAdmin], [ErrUnavailable].
func (d *Directory) DeleteUser(ctx context.Context, by Caller, name string) error {
	u, err := d.UserNamed(name)
	if err != nil {
		return err
	}
	event := d.event(by, "user.delete", u.Name, "role "+string(u.Role))
	return d.did(ctx, event, d.opts.Store.DeleteUser(ctx, u.ID, event))
}
