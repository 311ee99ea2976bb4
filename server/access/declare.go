package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
	"github.com/vitals-rpc/vitals/server/account"
)

// declared are the roles of procedures whose schema cannot say it: those of
// others' schemas, and the two classic contracts, whose files import nothing so
// that a client needs that one file alone.
var declared = map[string]account.Role{
	"/monitoring.MonitoringService/GetMetric":     account.Viewer,
	"/monitoring.MonitoringService/StreamMetrics": account.Viewer,
	"/monitoring.MonitoringService/CheckHealth":   account.Viewer,

	"/users.UserService/CreateUser": account.Admin,
	"/users.UserService/GetUser":    account.Admin,
	"/users.UserService/ListUsers":  account.Admin,

	// Load balancers and orchestrators ask without a token; the service tells
	// such callers of the whole server only.
	"/grpc.health.v1.Health/Check": account.Anyone,
	"/grpc.health.v1.Health/List":  account.Viewer,
	"/grpc.health.v1.Health/Watch": account.Viewer,

	// What it lists is what the caller may call.
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      account.AnyRole,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": account.AnyRole,
}

// roles are the schema's.
var roles = map[authv1.Role]account.Role{
	authv1.Role_ROLE_ANYONE:    account.Anyone,
	authv1.Role_ROLE_ANY:       account.AnyRole,
	authv1.Role_ROLE_SIGNED_IN: account.SignedIn,
	authv1.Role_ROLE_ENROLMENT: account.Enrolment,
	authv1.Role_ROLE_VIEWER:    account.Viewer,
	authv1.Role_ROLE_AGENT:     account.Agent,
	authv1.Role_ROLE_OPERATOR:  account.Operator,
	authv1.Role_ROLE_ADMIN:     account.Admin,
}

// FromProto returns the role that a message names; ok is false for none.
func FromProto(r authv1.Role) (role account.Role, ok bool) {
	role, ok = roles[r]
	return role, ok
}

// ToProto returns the role as messages have it.
func ToProto(role account.Role) authv1.Role {
	for r, other := range roles {
		if other == role {
			return r
		}
	}
	return authv1.Role_ROLE_UNSPECIFIED
}

// Declare takes the role of every registered procedure from its schema, and
// compares both ways: a procedure without a role, and a role without a procedure,
// are mistakes of the program, with which it must not serve.
//
// more are roles of procedures that a server has beside its own.
func (g *Guard) Declare(server *connect.Server, more map[string]account.Role) error {
	table := maps.Clone(declared)
	maps.Copy(table, more)
	required := map[string]account.Role{}
	services := map[protoreflect.FullName]protoreflect.ServiceDescriptor{}
	var problems []error
	for spec := range server.Specs() {
		method, _ := spec.Schema.(protoreflect.MethodDescriptor)
		role, err := roleOf(table, spec.Procedure, method)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		required[spec.Procedure] = role
		if method != nil {
			service := method.Parent().(protoreflect.ServiceDescriptor)
			services[service.FullName()] = service
		}
	}
	problems = append(problems, unserved(table, required, services)...)
	if len(problems) > 0 {
		return fmt.Errorf("roles and procedures do not match: %w", errors.Join(problems...))
	}
	g.required = required
	return nil
}

func roleOf(table map[string]account.Role, procedure string, method protoreflect.MethodDescriptor) (account.Role, error) {
	inTable, ok := table[procedure]
	inSchema, said := schemaRole(method)
	switch {
	case ok && said:
		return "", fmt.Errorf("%s has a role in its schema and in the table of package access; take one away", procedure)
	case ok:
		return inTable, nil
	case !said:
		return "", fmt.Errorf("%s has no role: say 'option (vitals.auth.v1.role) = ROLE_...;' in its schema", procedure)
	}
	return inSchema, nil
}

func schemaRole(method protoreflect.MethodDescriptor) (account.Role, bool) {
	if method == nil || !proto.HasExtension(method.Options(), authv1.E_Role) {
		return "", false
	}
	return FromProto(proto.GetExtension(method.Options(), authv1.E_Role).(authv1.Role))
}

// unserved finds roles of procedures that nobody serves: in the table, and in
// services of which some procedures are registered and others not.
func unserved(table, required map[string]account.Role, services map[protoreflect.FullName]protoreflect.ServiceDescriptor) (problems []error) {
	for _, procedure := range slices.Sorted(maps.Keys(table)) {
		if _, ok := required[procedure]; !ok {
			problems = append(problems, fmt.Errorf("%s is in the table of package access, and not served", procedure))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		methods := services[name].Methods()
		for i := range methods.Len() {
			procedure := "/" + string(name) + "/" + string(methods.Get(i).Name())
			if _, ok := required[procedure]; !ok {
				problems = append(problems, fmt.Errorf("%s is in the schema, and not served", procedure))
			}
		}
	}
	return problems
}

// MayCallAny reports whether a caller may call some procedure of a service.
func (g *Guard) MayCallAny(id account.Identity, service string) bool {
	for procedure, role := range g.required {
		if strings.HasPrefix(procedure, "/"+service+"/") && id.May(role) {
			return true
		}
	}
	return false
}
