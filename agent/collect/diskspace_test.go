package collect

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// spaceSource is a source of the mounts in a fake mountinfo, which are asked
// by stat, and its log.
func spaceSource(t *testing.T, mountinfo string, stat func(path string) (space, error)) (*Collector, *fakeHost, *bytes.Buffer) {
	t.Helper()
	host := newFakeHost(t)
	host.proc("self/mountinfo", mountinfo)
	var log bytes.Buffer
	s := newDiskSpaceSource(host.sys, "h", slog.New(slog.NewTextHandler(&log, nil)))
	s.stat = func(_ context.Context, path string) (space, error) { return stat(path) }
	c, _ := withSources(s)
	return c, host, &log
}

func TestDiskSpaceOfEachMount(t *testing.T) {
	c, host, _ := spaceSource(t, "20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 254:1 / /my\\040data rw shared:1 - xfs /dev/vdb rw\n",
		func(path string) (space, error) {
			if path == "/my data" {
				return space{total: 9e9, used: 4e9, available: 4.5e9}, nil
			}
			return space{total: 2e9, used: 1e9, available: 1e9}, nil
		})
	samples := c.Collect(t.Context())
	f := func(series string, want float64) {
		t.Helper()
		if got := mustFind(t, samples, series).Value; got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	f(`disk_space_total{hostname="h", device="/dev/vda", mount="/"}`, 2)
	f(`disk_space_total{hostname="h", device="/dev/vdb", mount="/my data"}`, 9)
	f(`disk_space_used{hostname="h", device="/dev/vdb", mount="/my data"}`, 4)
	f(`disk_space_free{hostname="h", device="/dev/vdb", mount="/my data"}`, 4.5)
	// A mount that goes is gone at the next listing, and one that comes is there.
	host.proc("self/mountinfo", "20 1 254:0 / / rw - ext4 /dev/vda rw\n22 20 254:2 / /new rw - xfs /dev/vdc rw\n")
	at(c, 2*time.Minute)
	samples = c.Collect(t.Context())
	f(`disk_space_total{hostname="h", device="/dev/vdc", mount="/new"}`, 2)
	if len(samples) != 6 {
		t.Errorf("%d samples, want 3 each of two mounts", len(samples))
	}
}

func TestDiskSpaceOneFailingMountIsSaidOnce(t *testing.T) {
	err := errors.New("input/output error")
	c, _, log := spaceSource(t, "20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 254:1 / /bad rw - xfs /dev/vdb rw\n",
		func(path string) (space, error) {
			if path == "/bad" {
				return space{}, err
			}
			return space{total: 2e9}, nil
		})
	for range 3 {
		if got := c.Collect(t.Context()); len(got) != 3 {
			t.Fatalf("samples: %v, want those of the good mount", got)
		}
	}
	if text := log.String(); strings.Count(text, "WARN") != 1 || !strings.Contains(text, "mount=/bad") {
		t.Errorf("log: %s", text)
	}
	err = nil
	c.Collect(t.Context())
	if text := log.String(); strings.Count(text, "measured again") != 1 {
		t.Errorf("log: %s", text)
	}
}

// A file server that does not answer must hold up nothing, and be asked by one
// goroutine only.
func TestDiskSpaceOfADeadFileServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	answer := make(chan space)
	asked := make(chan string, 10)
	c, _, _ := spaceSource(t, "20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 0:50 / /nfs rw - nfs4 fs:/export rw\n",
		func(path string) (space, error) {
			if path == "/nfs" {
				asked <- path
				return <-answer, nil
			}
			return space{total: 2e9}, nil
		})
	for i := range 5 {
		at(c, time.Duration(i)*10*time.Second)
		if got := c.Collect(t.Context()); len(got) != 3 {
			t.Fatalf("samples: %v, want those of the local mount", got)
		}
	}
	<-asked
	if len(asked) != 0 {
		t.Errorf("%d more questions while one was open", len(asked))
	}
	answer <- space{total: 7e9}
	waitFor(t, "answer of the file server", func() bool {
		s, ok := find(c.Collect(t.Context()), `disk_space_total{hostname="h", device="fs:/export", mount="/nfs"}`)
		return ok && s.Value == 7
	})
}
