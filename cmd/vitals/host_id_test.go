package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHostIDOfEachMachine keeps the id on one machine, and makes another on another one.
func TestHostIDOfEachMachine(t *testing.T) {
	dir := t.TempDir()
	get := func(machine string, wantMoved bool) string {
		t.Helper()
		id, moved, err := hostID(dir, machine)
		if err != nil || moved != wantMoved || id == "" {
			t.Fatalf("on %q: %q, moved %v, %v", machine, id, moved, err)
		}
		return id
	}
	same := func(a, b string) {
		t.Helper()
		if a != b {
			t.Errorf("the id was %s and is %s", a, b)
		}
	}
	first := get("", false) // as an earlier version has made it, or where there is no machine's id
	same(first, get("", false))
	same(first, get("one", false)) // an upgrade
	same(first, get("one", false))
	same(first, get("", false)) // what cannot be known changes nothing
	same(first, get("one", false))
	clone := get("two", true)
	if clone == first {
		t.Error("the clone has the id of what it was cloned from")
	}
	same(clone, get("two", false))
	if err := os.WriteFile(filepath.Join(dir, hostIDName), nil, 0o600); err != nil { // as a crash may leave it
		t.Fatal(err)
	}
	same(get("two", false), get("two", false))
	if info, err := os.Stat(filepath.Join(dir, machineName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestMachineID(t *testing.T) {
	id := machineID(t.Context())
	if id != machineID(t.Context()) {
		t.Error("it changes")
	}
	if own, err := os.ReadFile("/etc/machine-id"); err == nil && len(own) >= 32 && (id == string(own[:32]) || len(id) != 32) {
		t.Errorf("%q is what is to be kept", id)
	}
}

// TestClonedSpool has two agents that run at once, the folder of one of which was
// cloned from the other's machine: everyone is told, and the clone enrols by itself.
func TestClonedSpool(t *testing.T) {
	if machineID(t.Context()) == "" {
		t.Skip("NOT TESTED: a cloned spool. This machine has no id; run where /etc/machine-id is kept")
	}
	_, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0")...)
	image, clone := t.TempDir(), t.TempDir()
	agent := func(dir string) *process {
		return start(t, false, "agent", "--server", pages[0], "--hostname", "web-1", "--spool-dir", dir)
	}
	first := agent(image)
	first.next("reporting")
	id, err := os.ReadFile(filepath.Join(image, hostIDName))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{hostIDName: string(id), machineName: "another\n", agentTokenName: "vitals_agent_x\n"} {
		if err := os.WriteFile(filepath.Join(clone, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := agent(clone)
	second.next("comes from another machine")
	if _, err := os.Stat(filepath.Join(clone, agentTokenName)); err == nil {
		t.Error("it has the other's token")
	}
	eventually(t, "the list says so", func() bool {
		return strings.Contains(vitals(t, "hosts", "web-1", "--server", pages[0]).stdout, "two agents have this name")
	})
	second.next("two agents report as host")
}
