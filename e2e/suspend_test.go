package e2e_test

import (
	"syscall"
	"testing"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// suspend stops it where it is, as a suspended machine does; resume lets it go on.
func (p *process) suspend() { p.signal(syscall.SIGSTOP) }
func (p *process) resume()  { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.tb.Fatal(err)
	}
}

// eventuallyStatus waits until the server says so of a host.
func eventuallyStatus(s *serverProcess, host string, want monitoringv1.HostStatus) {
	s.tb.Helper()
	c := s.client()
	eventually(s.tb, host+" is "+want.String(), func() bool {
		res, err := c.Query().ListHosts(s.tb.Context(), &monitoringv1.ListHostsRequest{})
		for _, h := range res.GetHosts() {
			if h.GetHostname() == host {
				return err == nil && h.GetStatus() == want
			}
		}
		return false
	})
}

// TestAgentSuspended stops an agent in the middle of its work, until the server
// misses it, and lets it go on; then once more for a moment, with the server gone
// meanwhile, so that its connection is dead when it wakes up.
func TestAgentSuspended(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := newRecordingAgent(t, s.url, "web-1", 50*time.Millisecond)
	a.start()
	eventuallyStatus(s, "web-1", monitoringv1.HostStatus_HOST_STATUS_UP)
	a.suspend()
	eventuallyStatus(s, "web-1", monitoringv1.HostStatus_HOST_STATUS_STALE)
	taken := len(a.truth().rounds)
	a.resume()
	eventuallyStatus(s, "web-1", monitoringv1.HostStatus_HOST_STATUS_UP)
	eventually(t, "the agent measures again", func() bool { return len(a.truth().rounds) > taken+20 })

	a.suspend()
	s.kill()
	s.up()
	pause(0, time.Second)
	a.resume()
	eventuallyLive(s, "web-1")
	a.settle()
	s.kill()
	checkStored(t, openHistory(t, s.dir), a.truth())
}
