package server_test

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

// owner is who has the data folder.
var owner = account.Caller{Identity: account.Owner("the test")}

// people are an admin and a holder of a token of each kind and role.
type people struct {
	secrets map[string]string // by the names that the tests have for them
	tokens  map[string]account.Token
}

const agentsHost = "web-1"

func populate(t *testing.T, accounts *account.Directory) *people {
	t.Helper()
	p := &people{secrets: map[string]string{"nobody": ""}, tokens: map[string]account.Token{}}
	for _, role := range account.Roles() {
		if _, err := accounts.CreateUser(t.Context(), owner, account.NewUser{Name: string(role), Role: role}); err != nil {
			t.Fatal(err)
		}
		p.give(t, accounts, string(role), account.NewToken{Name: "t", User: string(role)})
	}
	p.give(t, accounts, "agent of "+agentsHost, account.NewToken{Name: "t", Kind: account.AgentToken, Hostname: agentsHost})
	p.give(t, accounts, "enrolment", account.NewToken{Name: "fleet", Kind: account.EnrolmentToken})
	return p
}

func (p *people) give(t *testing.T, accounts *account.Directory, who string, token account.NewToken) {
	t.Helper()
	secret, made, err := accounts.CreateToken(t.Context(), owner, token)
	if err != nil {
		t.Fatal(err)
	}
	p.secrets[who], p.tokens[who] = secret.Reveal(), made
}

func (p *people) header(who string) string {
	if p.secrets[who] == "" {
		return "X-Nobody: 1"
	}
	return "Authorization: Bearer " + p.secrets[who]
}

// mayBe says of each role that is asked for who has it.
var mayBe = map[authv1.Role][]string{
	authv1.Role_ROLE_ANYONE:    {"nobody", "viewer", "agent", "agent of " + agentsHost, "operator", "admin", "enrolment"},
	authv1.Role_ROLE_ANY:       {"viewer", "agent", "agent of " + agentsHost, "operator", "admin", "enrolment"},
	authv1.Role_ROLE_SIGNED_IN: {"viewer", "agent", "agent of " + agentsHost, "operator", "admin", "enrolment"},
	authv1.Role_ROLE_ENROLMENT: {"enrolment", "admin"},
	authv1.Role_ROLE_VIEWER:    {"viewer", "operator", "admin"},
	authv1.Role_ROLE_AGENT:     {"agent", "agent of " + agentsHost, "operator", "admin"},
	authv1.Role_ROLE_OPERATOR:  {"operator", "admin"},
	authv1.Role_ROLE_ADMIN:     {"admin"},
}

// unsaid are the roles of procedures whose schema does not say it.
var unsaid = map[string]authv1.Role{
	"/monitoring.MonitoringService/GetMetric":                        authv1.Role_ROLE_VIEWER,
	"/monitoring.MonitoringService/StreamMetrics":                    authv1.Role_ROLE_VIEWER,
	"/monitoring.MonitoringService/CheckHealth":                      authv1.Role_ROLE_VIEWER,
	"/users.UserService/CreateUser":                                  authv1.Role_ROLE_ADMIN,
	"/users.UserService/GetUser":                                     authv1.Role_ROLE_ADMIN,
	"/users.UserService/ListUsers":                                   authv1.Role_ROLE_ADMIN,
	"/grpc.health.v1.Health/Check":                                   authv1.Role_ROLE_ANYONE,
	"/grpc.health.v1.Health/List":                                    authv1.Role_ROLE_VIEWER,
	"/grpc.health.v1.Health/Watch":                                   authv1.Role_ROLE_VIEWER,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      authv1.Role_ROLE_ANY,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": authv1.Role_ROLE_ANY,
}

type procedure struct {
	path   string
	method protoreflect.MethodDescriptor
	role   authv1.Role
}

// procedures are all that are served, with the role that is declared for each.
func procedures(t *testing.T) (all []procedure) {
	t.Helper()
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				p := procedure{path: "/" + string(service.FullName()) + "/" + string(m.Name()), method: m}
				p.role = unsaid[p.path]
				if proto.HasExtension(m.Options(), authv1.E_Role) {
					p.role = proto.GetExtension(m.Options(), authv1.E_Role).(authv1.Role)
				}
				if p.role != authv1.Role_ROLE_UNSPECIFIED {
					all = append(all, p)
				}
			}
		}
		return true
	})
	if len(all) < 30 {
		t.Fatalf("only %d procedures", len(all))
	}
	return all
}

// A caller's messages are no gzip, though they say so. Whose call is let in hears
// that; who is refused must hear that and nothing else, for then nothing of the
// payload was looked at.
const noGzip = "this is no gzip"

func (p procedure) streams() bool {
	return p.method.IsStreamingClient() || p.method.IsStreamingServer()
}

// ways to make a call, and what comes back in one text.
var ways = map[string]func(*testing.T, *servertest.Server, *http.Client, procedure, string) string{
	"connect": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		if p.streams() {
			return text(send(t, c, http.MethodPost, srv.URL+p.path, envelope(1, noGzip), header, "Content-Type: application/connect+proto", "Connect-Content-Encoding: gzip"))
		}
		return text(send(t, c, http.MethodPost, srv.URL+p.path, noGzip, header, "Content-Type: application/proto", "Content-Encoding: gzip"))
	},
	"connect-get": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		if p.method.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel() != descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
			return ""
		}
		return text(send(t, c, http.MethodGet, srv.URL+p.path+"?connect=v1&encoding=proto&compression=gzip&message="+url.QueryEscape(noGzip), "", header))
	},
	"grpc": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		return text(send(t, c, http.MethodPost, srv.URL+p.path, envelope(1, noGzip), header, "Content-Type: application/grpc", "Grpc-Encoding: gzip", "Te: trailers"))
	},
	"grpcweb": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		return text(send(t, c, http.MethodPost, srv.URL+p.path, envelope(1, noGzip), header, "Content-Type: application/grpc-web+proto", "Grpc-Encoding: gzip"))
	},
	"jsonrpc": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		if p.streams() {
			return ""
		}
		return text(send(t, c, http.MethodPost, srv.URL+"/jsonrpc", `{"jsonrpc":"2.0","id":1,"method":"`+p.path[1:]+`","params":{"no such param":1}}`, header, asJSON))
	},
	"xmlrpc": func(t *testing.T, srv *servertest.Server, c *http.Client, p procedure, header string) string {
		if p.streams() {
			return ""
		}
		call := "<methodCall><methodName>" + p.path[1:] + "</methodName><params><param><value><struct><member><name>no such param</name><value><int>1</int></value></member></struct></value></param></params></methodCall>"
		return text(send(t, c, http.MethodPost, srv.URL+"/RPC2", call, header, "Content-Type: text/xml"))
	},
}

// text is all that an answer says. The library packs the end of a stream as the
// request was packed.
func text(a answer) string {
	if len(a.body) > 5 && a.body[0]&1 == 1 {
		if unpacked, err := gzip.NewReader(strings.NewReader(a.body[5:])); err == nil {
			if end, err := io.ReadAll(unpacked); err == nil {
				a.body = string(end)
			}
		}
	}
	return fmt.Sprintf("%d %v %v %s", a.status, a.header, a.trailer, a.body)
}

// refused reports whether an answer is the guard's refusal.
func refused(answer string) bool {
	return strings.Contains(answer, "this needs") && !strings.Contains(answer, "gzip: ")
}

func TestEveryProcedureByEveryRoleOverEveryTransport(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	c := srv.HTTP2()
	all := procedures(t)
	var groups sync.WaitGroup
	defer groups.Wait()
	for name, way := range ways {
		groups.Go(func() {
			t.Run(name, func(t *testing.T) {
				calls := 0
				for _, proc := range all {
					for who := range p.secrets {
						got := way(t, srv, c, proc, p.header(who))
						if got == "" {
							continue
						}
						calls++
						if want := !slices.Contains(mayBe[proc.role], who); refused(got) != want {
							t.Errorf("%s by %s, which asks for %s: refused %t, want %t: %.300s", proc.path, who, proc.role, !want, want, got)
						}
					}
				}
				t.Logf("%d calls", calls)
			})
		})
	}
}

// TestRefusedCallsCostNothing measures what a refused call has the server allocate,
// beside the same call when it is let in: its message is small as it is sent and
// large when it is unpacked.
func TestRefusedCallsCostNothing(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	const unpacked = 1 << 20
	message := "\x0a" + string(binary.AppendUvarint(nil, unpacked)) + strings.Repeat("x", unpacked) // field 1, a text
	query := `{"jsonrpc":"2.0","id":1,"method":"get_metric","params":["` + strings.Repeat("x", unpacked) + `"]}`
	call := "<methodCall><methodName>get_metric</methodName><params><param><value>" + strings.Repeat("x", unpacked) + "</value></param></params></methodCall>"
	f := func(name, path, body string, header ...string) {
		t.Helper()
		cost := func(who string) uint64 {
			const calls = 2
			least := uint64(math.MaxUint64) // what else the process does comes on top of some rounds
			for range 3 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range calls {
					send(t, srv.HTTP2(), http.MethodPost, srv.URL+path, body, append(header, who)...)
				}
				runtime.ReadMemStats(&after)
				least = min(least, (after.TotalAlloc-before.TotalAlloc)/calls)
			}
			return least
		}
		letIn, stranger, wrong := cost(p.header("viewer")), cost(p.header("nobody")), cost("Authorization: Bearer secret")
		t.Logf("%-8s %7d KiB when let in, %4d KiB refused without a token, %4d KiB with a wrong one", name, letIn>>10, stranger>>10, wrong>>10)
		if letIn < unpacked || max(stranger, wrong) > 256<<10 {
			t.Errorf("over %s, a call costs %d bytes when let in, %d without a token, %d with a wrong one", name, letIn, stranger, wrong)
		}
	}
	f("connect", getMetric, gzipped(t, message), "Content-Type: application/proto", "Content-Encoding: gzip")
	f("grpc", getMetric, envelope(1, gzipped(t, message)), "Content-Type: application/grpc", "Grpc-Encoding: gzip", "Te: trailers")
	f("grpcweb", getMetric, envelope(1, gzipped(t, message)), "Content-Type: application/grpc-web+proto", "Grpc-Encoding: gzip")
	f("jsonrpc", "/jsonrpc", gzipped(t, query), asJSON, "Content-Encoding: gzip")
	f("xmlrpc", "/RPC2", gzipped(t, call), "Content-Type: text/xml", "Content-Encoding: gzip")
}

func TestEveryRouteByEveryRole(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Page: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	p := populate(t, srv.Accounts())
	f := func(method, path string, role authv1.Role, letIn int) {
		t.Helper()
		eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
			for who := range p.secrets {
				got := send(t, c, method, srv.URL+path, "", p.header(who))
				want := letIn
				switch {
				case slices.Contains(mayBe[role], who):
				case who == "nobody":
					want = http.StatusUnauthorized
				default:
					want = http.StatusForbidden
				}
				if got.status != want {
					t.Errorf("%s %s by %s: %d, want %d: %s", method, path, who, got.status, want, got.body)
				}
			}
		})
	}
	f(http.MethodGet, "/metrics", authv1.Role_ROLE_VIEWER, http.StatusOK)
	f(http.MethodGet, "/healthz", authv1.Role_ROLE_ANYONE, http.StatusOK)
	f(http.MethodGet, "/readyz", authv1.Role_ROLE_ANYONE, http.StatusOK)
	f(http.MethodPost, "/session", authv1.Role_ROLE_ANYONE, http.StatusUnsupportedMediaType) // it is no JSON
	f(http.MethodDelete, "/session", authv1.Role_ROLE_ANYONE, http.StatusNoContent)
	f(http.MethodGet, "/", authv1.Role_ROLE_ANYONE, http.StatusOK)
}

func TestWhatIsShownHasToHold(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{AnonymousViewer: true})
	p := populate(t, srv.Accounts())
	good := p.secrets["viewer"]
	f := func(authorization string, status int, says string) {
		t.Helper()
		for _, path := range []string{getMetric, "/monitoring.v1.QueryService/ListHosts"} {
			got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, "{}", asJSON, "Authorization: "+authorization)
			if (got.status == http.StatusUnauthorized) != (status == http.StatusUnauthorized) || !strings.Contains(got.body, says) {
				t.Errorf("%.40s at %s: %d %s, want %d with %q", authorization, path, got.status, got.body, status, says)
			}
			if strings.Contains(got.body, good) {
				t.Errorf("the answer has the token: %s", got.body)
			}
		}
	}
	f("Bearer "+good, 200, "")
	f("bearer "+good, 200, "")
	f("Bearer "+good[:len(good)-1]+"!", 401, "checksum")
	f("Bearer "+good[:20], 401, "checksum")
	f("Bearer "+account.NewSecret(account.UserToken).Reveal(), 401, "not known here")
	f("Bearer secret", 401, "vitals_user_")
	f("Bearer ", 401, "")
	f("Basic YTpi", 401, "Bearer")
	// Over the transports with the name in the body nothing of it is read then.
	for _, path := range []string{"/jsonrpc", "/RPC2"} {
		got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, noGzip, asJSON, "Content-Encoding: gzip", "Authorization: Bearer secret")
		if got.status != http.StatusUnauthorized || strings.Contains(got.body, "gzip") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestStrangersSendLittleByName(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	populate(t, srv.Accounts())
	for _, path := range []string{"/jsonrpc", "/RPC2"} {
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, noGzip, asJSON, "Content-Encoding: gzip"); got.status != http.StatusUnauthorized {
			t.Errorf("%s, packed: %d %s", path, got.status, got.body)
		}
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, strings.Repeat(" ", 17<<10), asJSON); got.status != http.StatusUnauthorized {
			t.Errorf("%s, large: %d %s", path, got.status, got.body)
		}
	}
	for _, method := range []string{"rpc.discover"} {
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/jsonrpc", `{"jsonrpc":"2.0","id":1,"method":"`+method+`"}`, asJSON); !refused(text(got)) {
			t.Errorf("%s by a stranger: %s", method, got.body)
		}
	}
	for _, method := range []string{"system.listMethods", "system.methodHelp", "system.multicall"} {
		got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/RPC2", "<methodCall><methodName>"+method+"</methodName></methodCall>", "Content-Type: text/xml")
		if strings.Contains(got.body, "get_metric") || !strings.Contains(got.body, "fault") {
			t.Errorf("%s by a stranger: %s", method, got.body)
		}
	}
}

// Without accounts, loopback is open, but not to who comes by a proxy.
func TestOpenUntilThereIsAnAdmin(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	who := func(header ...string) string {
		return send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/users.v1.AccountService/WhoAmI", "{}", append(header, asJSON)...).body
	}
	if got := who(); !strings.Contains(got, "ROLE_ADMIN") || !strings.Contains(got, `"anonymous"`) {
		t.Errorf("on loopback: %s", got)
	}
	if got := who("X-Forwarded-For: 203.0.113.7"); !strings.Contains(got, "ROLE_OPERATOR") {
		t.Errorf("by a proxy: %s", got)
	}
	// A user that is no admin closes nothing; an admin does, for open streams too.
	if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/users.UserService/CreateUser", `{"name":"bob","email":"bob@example.com"}`, asJSON); got.body != `{"id":1,"name":"bob","email":"bob@example.com","roles":["viewer"]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	ended := subscribeAll(t, srv, "")
	if _, err := srv.Accounts().CreateUser(t.Context(), owner, account.NewUser{Name: "alice", Role: account.Admin}); err != nil {
		t.Fatal(err)
	}
	ended(t, "this needs a token")
	if got := who(); !strings.Contains(got, "ROLE_ANYONE") || !strings.Contains(got, `"accountsHold":true`) {
		t.Errorf("once there is an admin: %s", got)
	}
}

func TestAnonymousViewer(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AnonymousViewer: true})
	populate(t, srv.Accounts())
	f := func(path string, want int) {
		t.Helper()
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, "{}", asJSON); got.status != want {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
		}
	}
	f(getMetric, 200)
	f("/monitoring.v1.QueryService/ListHosts", 200)
	f("/monitoring.v1.IngestService/ReportBatch", 401)
	f("/users.UserService/ListUsers", 415) // a stream
	f("/users.v1.AccountService/ListUsers", 401)
	f("/users.v1.AccountService/ListTokens", 401)
}

func TestRolesAndProceduresMustMatch(t *testing.T) {
	f := func(opts server.Options, says string) {
		t.Helper()
		opts.History = store.Options{Dir: t.TempDir()}
		if _, err := server.New(context.Background(), opts); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	f(server.Options{Services: registerUndeclared}, "/test.Undeclared/Call has no role")
	f(server.Options{Roles: map[string]account.Role{"/test.Gone/Call": account.Admin}}, "/test.Gone/Call is in the table of package access, and not served")
	f(server.Options{Roles: map[string]account.Role{"/users.v1.AccountService/Enrol": account.Anyone}}, "take one away")
}
