package balance

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Source says where servers are.
type Source interface {
	// Addresses looks them up. It is called again and again.
	Addresses(ctx context.Context) ([]Address, error)
	// Base names them all by one URL, for people and logs.
	Base() *url.URL
}

// Fixed are servers that stay where they are.
type Fixed []Address

// Addresses implements [Source].
func (f Fixed) Addresses(context.Context) ([]Address, error) { return f, nil }

// Base implements [Source].
func (f Fixed) Base() *url.URL { return f[0].URL }

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

var _ Resolver = (*net.Resolver)(nil)

// DNS is every address of a name, in the order of their numbers.
type DNS struct {
	// URL has the name and the port.
	URL      *url.URL
	Resolver Resolver
}

// Addresses implements [Source].
func (d *DNS) Addresses(ctx context.Context) ([]Address, error) {
	hosts, err := d.Resolver.LookupHost(ctx, d.URL.Hostname())
	if err != nil {
		return nil, err
	}
	// Resolvers turn the order round with each answer; the policy is what spreads.
	slices.Sort(hosts)
	var out []Address
	for _, host := range slices.Compact(hosts) {
		out = append(out, Address{URL: d.URL, Dial: net.JoinHostPort(host, d.URL.Port())})
	}
	return out, nil
}

// Base implements [Source].
func (d *DNS) Base() *url.URL { return named("dns", d.URL.Scheme, d.URL.Host+d.URL.Path) }

// SRV is every server that a name's SRV records have, with their priorities and
// weights.
type SRV struct {
	// Scheme is that of the servers' URLs, http or https, Path what stands before
	// the procedure in them.
	Scheme, Path string
	// Name is the records' name, such as _vitals._tcp.example.com.
	Name     string
	Resolver Resolver
}

// Addresses implements [Source].
func (s *SRV) Addresses(ctx context.Context) ([]Address, error) {
	_, records, err := s.Resolver.LookupSRV(ctx, "", "", s.Name)
	if err != nil {
		return nil, err
	}
	var out []Address
	for _, r := range records {
		host := net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port)))
		out = append(out, Address{
			URL:      &url.URL{Scheme: s.Scheme, Host: host, Path: s.Path},
			Priority: int(r.Priority), Weight: int(r.Weight),
		})
	}
	slices.SortFunc(out, func(a, b Address) int {
		if a.Priority != b.Priority {
			return a.Priority - b.Priority
		}
		return strings.Compare(a.URL.Host, b.URL.Host)
	})
	return out, nil
}

// Base implements [Source].
func (s *SRV) Base() *url.URL { return named("srv", s.Scheme, s.Name+s.Path) }

// named is the URL of a target that stands for several servers.
func named(kind, scheme, name string) *url.URL {
	if scheme == "https" {
		kind += "+https"
	}
	return &url.URL{Scheme: kind, Path: "/" + name}
}

// Unix is the server that listens on a unix socket of that path, by http.
type Unix string

// Addresses implements [Source].
func (p Unix) Addresses(context.Context) ([]Address, error) {
	return []Address{{URL: &url.URL{Scheme: "http", Host: "localhost"}, Socket: string(p)}}, nil
}

// Base implements [Source].
func (p Unix) Base() *url.URL { return &url.URL{Scheme: "unix", Opaque: string(p)} }

// ParseTarget returns the source that a target names:
//
//	https://vitals.example.com      a server
//	localhost:50051                 a server, by http
//	unix:/run/vitals.sock           a server on a unix socket, by http
//	dns:///vitals.example.com:50051 every address of a name, by http
//	dns+https:///...                the same by https
//	srv:///_vitals._tcp.example.com every server in its SRV records, by http
//	srv+https:///...                the same by https
//
// With the last four, what follows the name is the path before the procedure.
func ParseTarget(target string, resolver Resolver) (Source, error) {
	if path, ok := strings.CutPrefix(target, "unix:"); ok && strings.Trim(path, "/") != "" {
		return Unix(path), nil
	}
	full := target
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, targetError(target)
	}
	kind, scheme, found := strings.Cut(u.Scheme, "+")
	if !found {
		scheme = "http"
	}
	switch {
	case u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"):
		u.Path = strings.TrimSuffix(u.Path, "/")
		return Fixed{{URL: u}}, nil
	case u.Host != "" || scheme != "http" && scheme != "https":
		return nil, targetError(target)
	}
	name, path, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if path = strings.TrimSuffix(path, "/"); path != "" {
		path = "/" + path
	}
	switch kind {
	case "dns":
		host, port, err := net.SplitHostPort(name)
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("server %q has no name and port: write dns:///vitals.example.com:50051", target)
		}
		return &DNS{URL: &url.URL{Scheme: scheme, Host: name, Path: path}, Resolver: resolver}, nil
	case "srv":
		if name == "" {
			return nil, fmt.Errorf("server %q has no name: write srv:///_vitals._tcp.example.com", target)
		}
		return &SRV{Scheme: scheme, Path: path, Name: name, Resolver: resolver}, nil
	}
	return nil, targetError(target)
}

func targetError(target string) error {
	return fmt.Errorf("server %q is neither a URL such as https://vitals.example.com nor an address such as localhost:50051, nor unix:/path, dns:///name:port or srv:///_service._tcp.name", target)
}
