package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a disk of that size for the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("NOT TESTED: a full disk. Mounting a tmpfs was refused (%v); run as root where mounts are allowed", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all room that is left and returns the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return path
}

// TestServersDiskFull fills the server's disk: agents keep what it refuses, live
// values go on, and when there is room everything arrives.
func TestServersDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "64m")
	s := newServer(t, filepath.Join(disk, "data"))
	s.up()
	a := newRecordingAgent(t, s.url, "web-1", 100*time.Millisecond)
	a.start()
	eventually(t, "the agent reports", func() bool { return a.log.says("msg=reporting") })
	filler := fill(t, disk)
	eventually(t, "the agent hears of it", func() bool { return a.log.says("cannot report", "resource_exhausted", "full") })
	live := watchFreshness(t, s.url, "web-1")
	time.Sleep(10 * time.Second) // this long it stays full
	live.check(t)
	if s.log.says("panic") {
		t.Error("the server has panicked")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the agent catches up", func() bool { return a.log.says("caught up") })
	a.settle()
	s.kill()
	checkStored(t, openHistory(t, s.dir), a.truth())
}

// TestAgentsDiskFull fills the agent's disk. The host stays live as long as the
// server is there; while it is away, what finds no room is lost, and that is said.
// The rest arrives once, and all does when there is room.
func TestAgentsDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "4m")
	s := startServer(t)
	c := agentConfig{
		Server: s.url, Spool: filepath.Join(disk, "spool"), Host: "web-1", Series: 20,
		Interval: 50 * time.Millisecond, Truth: filepath.Join(t.TempDir(), "truth"), ID: "1",
	}
	a := newRecordingAgentWith(t, c)
	a.start()
	eventually(t, "the agent reports", func() bool { return a.log.says("msg=reporting") })
	full := time.Now().UnixMilli()
	filler := fill(t, disk)
	eventually(t, "the agent says so", func() bool { return a.log.says("cannot keep samples", "--spool-dir") })
	live := watchFreshness(t, s.url, "web-1")
	time.Sleep(3 * time.Second) // this long it stays full
	live.check(t)
	s.kill()
	eventually(t, "the agent says that samples are lost", func() bool { return a.log.says("could not be sent either and are lost") })
	pause(time.Second, 2*time.Second)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the agent goes on", func() bool { return a.log.says("kept on disk again", "rounds_not_kept") })
	again := time.Now().UnixMilli()
	pause(time.Second, 2*time.Second)
	s.up()
	a.settle()
	s.kill()
	want := a.truth()
	for at, r := range want.rounds {
		if at > full-1000 && at < again { // these may be lost
			r.kept = false
			want.rounds[at] = r
		}
	}
	checkStored(t, openHistory(t, s.dir), want)
}
