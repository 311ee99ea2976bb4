package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
)

// command runs vitals to its end and returns what it printed.
func command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vitals %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// firstAdmin makes an admin in a data folder and returns its token.
func firstAdmin(t *testing.T, dir string) string {
	t.Helper()
	return command(t, "user", "add", "root", "--role", "admin", "--new-token", "--data-dir", dir)
}

func withToken(t *testing.T, url, token string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.WithRetry(1), client.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestAccountsSurviveKills kills the server in the middle of writes. What it
// acknowledged holds after the restart: tokens work, revoked ones do not.
func TestAccountsSurviveKills(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	admin := firstAdmin(t, dir)
	s := newServer(t, dir)
	made, revoked := map[string]bool{}, map[string]bool{}
	var mu sync.Mutex
	for round := range 4 {
		s.up()
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for w := range 3 {
			c := withToken(t, s.url, admin).Accounts()
			writers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					res, err := c.CreateToken(ctx, &usersv1.CreateTokenRequest{Name: fmt.Sprintf("t-%d-%d-%d", round, w, n), User: "root"})
					if err != nil {
						return // the server is gone
					}
					secret := res.GetSecret()
					if n%2 == 0 {
						mu.Lock()
						made[secret] = true
						mu.Unlock()
						continue
					}
					if _, err := c.RevokeToken(ctx, &usersv1.RevokeTokenRequest{Id: res.GetToken().GetId()}); err == nil {
						mu.Lock()
						revoked[secret] = true
						mu.Unlock()
					}
				}
			})
		}
		eventually(t, "it writes", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(made) > 5*(round+1) && len(revoked) > 5*(round+1)
		})
		pause(0, 100*time.Millisecond)
		s.kill()
		cancel()
		writers.Wait()
	}
	s.up()
	t.Logf("%d tokens made and %d revoked over 4 kills", len(made), len(revoked))
	who := func(secret string) error {
		_, err := withToken(t, s.url, secret).Accounts().WhoAmI(t.Context(), &usersv1.WhoAmIRequest{})
		return err
	}
	for secret := range made {
		if err := who(secret); err != nil {
			t.Fatalf("a token that was acknowledged is lost: %v", err)
		}
	}
	for secret := range revoked {
		if err := who(secret); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Fatalf("a token whose end was acknowledged is back: %v", err)
		}
	}
	events := countEvents(t, withToken(t, s.url, admin))
	if got, want := events["token.create"], len(made)+len(revoked); got < want {
		t.Errorf("of %d tokens that were made, %d are in the record", want, got)
	}
	if got, want := events["token.revoke"], len(revoked); got < want {
		t.Errorf("of %d tokens that were revoked, %d are in the record", want, got)
	}
}

// countEvents counts what is in the record, by action.
func countEvents(t *testing.T, admin *client.Client) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for before := int64(0); ; {
		page, err := admin.Accounts().ListEvents(t.Context(), &usersv1.ListEventsRequest{Limit: 500, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.GetEvents()) == 0 {
			return counts
		}
		for _, e := range page.GetEvents() {
			counts[e.GetAction()]++
			before = e.GetId()
		}
	}
}

// TestFleetEnrols rolls out two agents with one secret, which is then rotated:
// they go on, over a restart of theirs too, and with the old secret nobody comes in.
func TestFleetEnrols(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newServer(t, filepath.Join(dir, "data"))
	admin := withToken(t, s.url, firstAdmin(t, s.dir))
	fleet := filepath.Join(dir, "fleet.token")
	secret := command(t, "token", "create", "fleet", "--enrol", "--data-dir", s.dir)
	if err := os.WriteFile(fleet, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.up()
	agent := func(name string) *process {
		return newProcess(t, name, binary, nil, "agent", "--server", s.url, "--hostname", name, "--spool-dir", filepath.Join(dir, name), "--token-file", fleet)
	}
	reports := func(name string) bool {
		res, err := admin.Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: name})
		return err == nil && len(res.GetHosts()) == 1 && res.GetHosts()[0].GetStatus() == monitoringv1.HostStatus_HOST_STATUS_UP
	}
	one, two := agent("web-1"), agent("web-2")
	one.start()
	two.start()
	eventually(t, "both report", func() bool { return reports("web-1") && reports("web-2") })
	kept, err := os.Stat(filepath.Join(dir, "web-1", "agent-token"))
	if err != nil || kept.Mode().Perm() != 0o600 {
		t.Errorf("the agent's own token: %v, %v", kept, err)
	}

	command(t, "token", "rotate", "2", "--data-dir", s.dir)
	one.stop()
	one.start()
	three := agent("web-3")
	three.start()
	eventually(t, "the new one is refused", func() bool { return three.log.says("enrolment token is not taken") })
	three.stop()
	eventually(t, "the restarted one has reported", func() bool { return one.log.says("agent") && reports("web-1") })
	if reports("web-3") {
		t.Error("an agent came in with the old secret")
	}
	for _, p := range []*process{one, two, three} {
		if strings.Contains(p.log.String(), secret) {
			t.Error("the secret is in an agent's log")
		}
	}
}

// TestStartUp: nothing but loopback without an admin, unless that is said aloud.
func TestStartUp(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	run := func(args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, binary, append([]string{"serve", "--data-dir", dir}, args...)...).CombinedOutput()
		exit, _ := errors.AsType[*exec.ExitError](err)
		if exit == nil {
			t.Fatalf("%q did not fail: %v", args, err)
		}
		return string(out), exit.ExitCode()
	}
	if out, code := run("--listen", "0.0.0.0:0"); code != 2 || !strings.Contains(out, "vitals user add") || !strings.Contains(out, "--first-admin") {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("--debug-listen", "0.0.0.0:0"); code != 2 || !strings.Contains(out, "loopback only") {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("--client-cert-role", "agent"); code != 2 || !strings.Contains(out, "CN=agent-*:agent") {
		t.Errorf("%d: %s", code, out)
	}
}
