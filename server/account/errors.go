package account

import (
	"errors"
	"fmt"
)

// What a caller or an account may not do or be. Each text is for the caller.
var (
	// ErrExists: there is a user of that name.
	ErrExists = errors.New("there is a user of that name already")
	// ErrNoUser: there is no such user.
	ErrNoUser = errors.New("there is no such user")
	// ErrNoToken: there is no such token, or not for this caller.
	ErrNoToken = errors.New("there is no such token, or it is not yours")
	// ErrLastAdmin: the change would leave nobody who could undo it.
	ErrLastAdmin = errors.New("this is the last admin; make another one first")
	// ErrCredentials: a name and password that do not belong together.
	ErrCredentials = errors.New("the name or the password is wrong")
	// ErrBusy: too many passwords are being checked or set.
	ErrBusy = errors.New("too many sign in or set a password at this moment; try again in a few seconds")
	// ErrUsedUp: an enrolment token has been used as often as it may.
	ErrUsedUp = errors.New("the enrolment token has been used as often as it may; ask for another one")
	// ErrFull: a limit on the number of accounts or tokens.
	ErrFull = errors.New("there are as many as there may be; delete what is not needed")
	// ErrUnavailable: the accounts cannot be read or written, as on a full disk.
	ErrUnavailable = errors.New("the accounts cannot be changed now; the server's log has the cause")
)

// InvalidError is a value that cannot be taken.
type InvalidError struct{ text string }

func (e *InvalidError) Error() string { return e.text }

func invalidf(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

// DeniedError is a thing that the caller may not do.
type DeniedError struct{ text string }

func (e *DeniedError) Error() string { return e.text }

func deniedf(format string, args ...any) error { return &DeniedError{fmt.Sprintf(format, args...)} }

// TokenError says why a token is not taken. It never has the token.
type TokenError struct{ text string }

func (e *TokenError) Error() string { return e.text }

func tokenErrorf(format string, args ...any) error { return &TokenError{fmt.Sprintf(format, args...)} }
