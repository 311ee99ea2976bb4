package account

import "slices"

// Role is what a caller may do. The zero value may do what anyone may.
type Role string

// The roles. Anyone, AnyRole and SignedIn are no roles to be given: they say of a
// thing that it asks for none, for any, and for any with a token.
const (
	Anyone    Role = ""
	AnyRole   Role = "any"
	SignedIn  Role = "signed-in"
	Enrolment Role = "enrolment"
	Viewer    Role = "viewer"
	Agent     Role = "agent"
	Operator  Role = "operator"
	Admin     Role = "admin"
)

// includes is what each role may do beside itself.
var includes = map[Role][]Role{
	Enrolment: {AnyRole, SignedIn},
	Viewer:    {AnyRole, SignedIn},
	Agent:     {AnyRole, SignedIn},
	Operator:  {AnyRole, SignedIn, Viewer, Agent},
	Admin:     {AnyRole, SignedIn, Enrolment, Viewer, Agent, Operator},
}

// Roles are those that a user may have.
func Roles() []Role { return []Role{Viewer, Agent, Operator, Admin} }

// Includes reports whether who has role r may do what role other is asked for.
func (r Role) Includes(other Role) bool {
	return other == Anyone || r == other || slices.Contains(includes[r], other)
}

// ParseRole returns the role of that name that a user may have.
//
// Errors: *[InvalidError].
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", invalidf("role %q is none of viewer, agent, operator and admin", name)
}
