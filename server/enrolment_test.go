package server_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestAgentsTokenIsForItsHostOnly(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	c := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["agent of "+agentsHost]))
	batch := func(host string) error {
		_, err := c.Ingest().ReportBatch(t.Context(), &monitoringv1.ReportBatchRequest{Hostname: host, Samples: []*monitoringv1.CustomSample{{MetricType: "x", Value: 1}}})
		return err
	}
	stream := func(host string) error {
		s, err := c.Ingest().Report(t.Context())
		if err != nil {
			return err
		}
		if err := s.Send(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: host}}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err = s.CloseAndReceive()
		return err
	}
	for name, report := range map[string]func(string) error{"batch": batch, "stream": stream} {
		if err := report(agentsHost); err != nil {
			t.Errorf("%s of its own host: %v", name, err)
		}
		for _, host := range []string{"web-2", servertest.Hostname, "WEB-1", "web-1.evil.test"} {
			if err := report(host); connect.CodeOf(err) != connect.CodePermissionDenied || !strings.Contains(err.Error(), "is for host") {
				t.Errorf("%s of %s: %v", name, host, err)
			}
		}
	}
	if err := batch(""); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a batch of the server's own host: %v", err)
	}
	if _, err := c.Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("reading: %v", err)
	}
	if _, err := c.Accounts().RotateToken(t.Context(), &usersv1.RotateTokenRequest{Id: p.tokens["agent of "+agentsHost].ID}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("rotating itself: %v", err)
	}
}

func TestEnrolment(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	fleet := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["enrolment"]))
	enrol := func(host, id string) (string, error) {
		res, err := fleet.Accounts().Enrol(t.Context(), &usersv1.EnrolRequest{Hostname: host, HostId: id})
		return res.GetSecret(), err
	}
	report := func(token, host, id string) error {
		s, err := srv.Client(servertest.Connections()[0], client.WithToken(token)).Ingest().Report(t.Context())
		if err != nil {
			return err
		}
		if err := s.Send(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: host, HostId: id}}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err = s.CloseAndReceive()
		return err
	}
	first, err := enrol("db-1", "id-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := report(first, "db-1", "id-1"); err != nil {
		t.Errorf("an enrolled agent: %v", err)
	}
	if err := report(first, "db-1", "id-2"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("its token on another machine: %v", err)
	}
	if err := report(p.secrets["enrolment"], "db-1", "id-1"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("reporting with the enrolment token: %v", err)
	}
	if _, err := enrol("db-1", "id-2"); connect.CodeOf(err) != connect.CodePermissionDenied || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("another machine under the name: %v", err)
	}
	if _, err := enrol(servertest.Hostname, "id"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("the server's own host: %v", err)
	}
	again, err := enrol("db-1", "id-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := report(first, "db-1", "id-1"); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the token before: %v", err)
	}
	// The secret is rotated: who is in stays in, and nobody comes in by the old one.
	if _, _, err := srv.Accounts().RotateToken(t.Context(), owner, p.tokens["enrolment"].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := enrol("db-2", "id-3"); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the old secret: %v", err)
	}
	if err := report(again, "db-1", "id-1"); err != nil {
		t.Errorf("an agent that is in: %v", err)
	}
}

func TestEnrolmentIsLimited(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	p.give(t, srv.Accounts(), "two", account.NewToken{Name: "two", Kind: account.EnrolmentToken, MaxUses: 2})
	c := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets["two"])).Accounts()
	for i, host := range []string{"a", "b", "c"} {
		_, err := c.Enrol(t.Context(), &usersv1.EnrolRequest{Hostname: host, HostId: host})
		if (i < 2) != (err == nil) || i == 2 && connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("agent %d: %v", i, err)
		}
	}
}
