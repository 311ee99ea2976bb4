// Package transport has what those transports share that are made from method
// descriptors: the names of the methods, how params become a message and a message
// a result, one call over the connect.Server, and the body of an HTTP request. It
// knows no method in particular.
package transport

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vitals-rpc/vitals/gen/comments"
	"github.com/vitals-rpc/vitals/metric"
)

// Method is a procedure as a caller by name sees it.
type Method struct {
	// Short is the name in snake_case, such as get_metric, or "" where that name
	// is not this method's; see [NewMethods].
	Short string
	// Full is the name that each method has, such as
	// monitoring.MonitoringService/GetMetric.
	Full string
	// Descriptor is the method in the .proto file.
	Descriptor protoreflect.MethodDescriptor
}

// Name is the short name, or the full one where there is none.
func (m *Method) Name() string { return cmp.Or(m.Short, m.Full) }

// Help is the comment in the .proto file.
func (m *Method) Help() string { return comments.Of(m.Descriptor.FullName()) }

// Streams tells whether the method takes or sends several messages, which no
// transport of this kind can.
func (m *Method) Streams() bool {
	return m.Descriptor.IsStreamingClient() || m.Descriptor.IsStreamingServer()
}

// Params are the fields of the request in the order of their numbers, which is
// the order of params by position.
func (m *Method) Params() []protoreflect.FieldDescriptor {
	fields := m.Descriptor.Input().Fields()
	params := make([]protoreflect.FieldDescriptor, fields.Len())
	for i := range params {
		params[i] = fields.Get(i)
	}
	slices.SortFunc(params, func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })
	return params
}

// Bare returns the field whose value alone is the result: that of a response with
// exactly one field, where that is one number, text or the like. All other
// responses, and this is nil for them, are a struct of their fields.
func Bare(response protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if response.Fields().Len() != 1 {
		return nil
	}
	field := response.Fields().Get(0)
	if field.IsList() || field.IsMap() || field.Message() != nil {
		return nil
	}
	return field
}

// Methods are the methods of a server by name. They do not change, and are safe
// for concurrent use.
type Methods struct {
	server   *connect.Server
	byName   map[string]*Method
	callable []*Method
}

// NewMethods names the methods that are registered on the server, whose schemas
// must be protobuf's. Each can be called by its full name, with a slash or a dot
// before the method. Its short name is that of the method in snake_case. Where
// several methods come to the same short name,
//
//   - one that does not stream goes before those that do,
//   - of versions of one package the oldest has it, so that the name never changes
//     its meaning: users before users.v1 before users.v2,
//   - infrastructure (grpc.*) has none.
//
// All else is an error, which says what to rename.
func NewMethods(server *connect.Server) (*Methods, error) {
	ms := &Methods{server: server, byName: map[string]*Method{}}
	claims := map[string][]*Method{}
	for spec := range server.Specs() {
		descriptor, ok := spec.Schema.(protoreflect.MethodDescriptor)
		if !ok {
			return nil, fmt.Errorf("procedure %s has no protobuf schema, so that it cannot be called by name", spec.Procedure)
		}
		m := &Method{Full: strings.TrimPrefix(spec.Procedure, "/"), Descriptor: descriptor}
		ms.byName[m.Full] = m
		ms.byName[strings.Replace(m.Full, "/", ".", 1)] = m
		if !m.Streams() {
			ms.callable = append(ms.callable, m)
		}
		if !strings.HasPrefix(m.Full, "grpc.") {
			short := snake(string(descriptor.Name()))
			claims[short] = append(claims[short], m)
		}
	}
	for short, claimants := range claims {
		owner, err := choose(short, claimants)
		if err != nil {
			return nil, err
		}
		owner.Short = short
		ms.byName[short] = owner
	}
	slices.SortFunc(ms.callable, func(a, b *Method) int { return cmp.Compare(a.Name(), b.Name()) })
	return ms, nil
}

// choose says whose a short name is.
func choose(short string, claimants []*Method) (*Method, error) {
	slices.SortStableFunc(claimants, func(a, b *Method) int {
		_, versionA := version(a)
		_, versionB := version(b)
		return cmp.Or(cmp.Compare(streaming(a), streaming(b)), cmp.Compare(versionA, versionB), cmp.Compare(a.Full, b.Full))
	})
	owner := claimants[0]
	packageOf, oldest := version(owner)
	for _, other := range claimants[1:] {
		if other.Streams() {
			break
		}
		if p, v := version(other); p != packageOf || v == oldest {
			return nil, fmt.Errorf("%s and %s would both be %s to callers by name; rename one in its .proto file", owner.Full, other.Full, short)
		}
	}
	return owner, nil
}

func streaming(m *Method) int {
	if m.Streams() {
		return 1
	}
	return 0
}

var versionSuffix = regexp.MustCompile(`^(.*)\.v(\d+)[a-z0-9]*$`)

// version splits a package such as users.v1 into its name and its version, which
// is 0 where it has none.
func version(m *Method) (name string, number int) {
	full := string(m.Descriptor.ParentFile().Package())
	parts := versionSuffix.FindStringSubmatch(full)
	if parts == nil {
		return full, 0
	}
	number, _ = strconv.Atoi(parts[2]) // one too large is 0, and so a clash that is told
	return parts[1], number
}

// snake puts an underscore before each word that begins with a capital: GetMetric
// is get_metric, QueryPromQL query_prom_ql, GetHTTPStatus get_http_status.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) {
			afterSmall := !unicode.IsUpper(runes[i-1])
			beforeSmall := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterSmall || beforeSmall {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Callable are the methods that do not stream, ordered by name. The slice is not
// to be changed.
func (ms *Methods) Callable() []*Method { return ms.callable }

// Find returns the method of that name, short or full, that does not stream.
//
// Errors: [*UnknownError], [*StreamsError].
func (ms *Methods) Find(name string) (*Method, error) {
	m, ok := ms.byName[name]
	if !ok {
		known := make([]string, len(ms.callable))
		for i, c := range ms.callable {
			known[i] = c.Name()
		}
		return nil, &UnknownError{Name: name, Known: known}
	}
	if m.Streams() {
		return nil, &StreamsError{Method: m}
	}
	return m, nil
}

// longestName is how much of an unknown name an error repeats.
const longestName = 100

// UnknownError says that there is no method of that name.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	name := e.Name[:min(len(e.Name), longestName)]
	return fmt.Sprintf("there is no method %q; nearest: %s", name, strings.Join(metric.Nearest(name, e.Known, 3), ", "))
}

// StreamsError says that a method streams, and where to call it.
type StreamsError struct{ Method *Method }

func (e *StreamsError) Error() string {
	how := "answers with a stream"
	needs := "Connect, gRPC or gRPC-Web"
	switch d := e.Method.Descriptor; {
	case d.IsStreamingClient() && d.IsStreamingServer():
		how, needs = "streams both ways", "Connect, gRPC or gRPC-Web, over HTTP/2"
	case d.IsStreamingClient():
		how = "takes a stream"
	}
	return fmt.Sprintf("%s %s, which this protocol cannot; call /%s at the same address over %s", e.Method.Name(), how, e.Method.Full, needs)
}
