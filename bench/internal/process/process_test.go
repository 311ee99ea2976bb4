package process_test

import (
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/process"
)

// What a process has started counts as its own, and nothing else does.
func TestTree(t *testing.T) {
	alone, err := process.Start(t.Context(), 0, "sleep", "30")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Stop()
	parent, err := process.Start(t.Context(), 0, "timeout", "30", "sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for parent.TreeCPU() < 50*time.Millisecond || parent.CPU() > parent.TreeCPU()/2 {
		if time.Now().After(deadline) {
			t.Fatalf("the child's processor time is not counted: %s of the parent, %s of all", parent.CPU(), parent.TreeCPU())
		}
		time.Sleep(time.Millisecond)
	}
	all, _ := parent.TreeMemory()
	one, _ := parent.Memory()
	if one == 0 || all <= one {
		t.Errorf("%d bytes of the parent, %d of all", one, all)
	}
	if all, one := alone.TreeCPU(), alone.CPU(); all > one+10*time.Millisecond {
		t.Errorf("%s of a process without children, %s of all", one, all)
	}
}
