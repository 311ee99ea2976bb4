package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/account/sqlite"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

// subscribeAll opens a live stream over every connection, and returns a function
// that waits for all of them to end with UNAUTHENTICATED and such a text, and
// says how long that took.
func subscribeAll(t *testing.T, srv *servertest.Server, token string) func(t *testing.T, says string) time.Duration {
	t.Helper()
	var options []client.Option
	if token != "" {
		options = append(options, client.WithToken(token))
	}
	var mu sync.Mutex
	results := map[string]error{}
	var all sync.WaitGroup
	for _, conn := range servertest.Connections() {
		stream, err := srv.Client(conn, options...).Live().Subscribe(t.Context(), &monitoringv1.SubscribeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Receive(); err != nil { // it runs
			t.Fatalf("%s: %v", conn.Name, err)
		}
		all.Go(func() {
			var err error
			for err == nil {
				_, err = stream.Receive()
			}
			mu.Lock()
			defer mu.Unlock()
			results[conn.Name] = err
		})
	}
	return func(t *testing.T, says string) time.Duration {
		t.Helper()
		began := time.Now()
		all.Wait()
		for name, err := range results {
			if connect.CodeOf(err) != connect.CodeUnauthenticated || !strings.Contains(err.Error(), says) {
				t.Errorf("%s ended with %v, want UNAUTHENTICATED with %q", name, err, says)
			}
		}
		return time.Since(began)
	}
}

func TestRevokedTokenEndsItsStreams(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	ended := subscribeAll(t, srv, p.secrets["viewer"])
	others, err := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["operator"])).Live().Subscribe(t.Context(), &monitoringv1.SubscribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["agent of "+agentsHost])).Ingest().Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Send(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: agentsHost}}); err != nil {
		t.Fatal(err)
	}

	admin := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["admin"])).Accounts()
	for _, who := range []string{"viewer", "agent of " + agentsHost} {
		if _, err := admin.RevokeToken(t.Context(), &usersv1.RevokeTokenRequest{Id: p.tokens[who].ID}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the streams of a revoked token ended after %s", ended(t, "revoked"))
	if _, err := report.CloseAndReceive(); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a report of a revoked token ended with %v", err)
	}
	if _, err := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["viewer"])).Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a call with a revoked token: %v", err)
	}
	if _, err := others.Receive(); err != nil {
		t.Errorf("another's stream ended too: %v", err)
	}
}

// A revocation by `vitals token revoke` in the data folder, which is another
// process, holds as soon as the server notices.
func TestRevokedByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	srv := servertest.NewSeeded(t, server.Options{History: store.Options{Dir: dir}})
	p := populate(t, srv.Accounts())
	ended := subscribeAll(t, srv, p.secrets["viewer"])
	file, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := account.NewDirectory(t.Context(), account.Options{Store: file})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.RevokeToken(t.Context(), owner, p.tokens["viewer"].ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("the streams ended after %s", ended(t, "revoked"))
}

func TestOtherWaysToLoseAStream(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{})
	accounts := srv.Accounts()
	p := populate(t, accounts)
	f := func(who, says string, change func() error) {
		t.Helper()
		ended := subscribeAll(t, srv, p.secrets[who])
		if err := change(); err != nil {
			t.Fatal(err)
		}
		ended(t, says)
	}
	f("viewer", "revoked", func() error {
		_, _, err := accounts.RotateToken(t.Context(), owner, p.tokens["viewer"].ID)
		return err
	})
	f("operator", "", func() error { return accounts.DeleteUser(t.Context(), owner, "operator") })
	p.give(t, accounts, "short", account.NewToken{Name: "short", User: "viewer", Lifetime: 5 * time.Second})
	f("short", "expired", func() error { return nil })
}
