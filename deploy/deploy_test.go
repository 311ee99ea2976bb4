// Package deploy_test checks what is shipped for operators.
package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestUnits has systemd itself check the units.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is needed: install Debian's package systemd")
	}
	units, err := filepath.Glob("systemd/*.*")
	if err != nil || len(units) != 3 {
		t.Fatalf("units: %v, %v", units, err)
	}
	dir := t.TempDir() // of all of them, for a socket wants its service
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		// systemd wants the program to be there; any will do.
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/vitals", "/bin/true"))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(unit)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range units {
		t.Run(filepath.Base(unit), func(t *testing.T) {
			checked := filepath.Join(dir, filepath.Base(unit))
			out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", checked).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
		})
	}
}

// TestDocuments reads what no program here can check as what it is said to be.
func TestDocuments(t *testing.T) {
	f := func(file string, kinds ...string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for documents := yaml.NewDecoder(bytes.NewReader(text)); ; { // JSON is YAML
			var d map[string]any
			if err := documents.Decode(&d); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if kind, ok := d["kind"].(string); ok {
				got = append(got, kind)
				continue
			}
			for key := range d {
				got = append(got, key)
			}
		}
		if !slices.Equal(got, kinds) {
			t.Errorf("%s has %v, want %v", file, got, kinds)
		}
	}
	f("envoy/envoy.yaml", "static_resources")
	f("kubernetes/vitals.yaml", "Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "DaemonSet")
	f("consul/vitals.json", "service")
}

// TestFlags holds the flags in the examples to those that there are.
func TestFlags(t *testing.T) {
	text, err := os.ReadFile("kubernetes/vitals.yaml")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "vitals")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/vitals").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := ""
	for _, command := range []string{"serve", "agent"} {
		out, err := exec.CommandContext(t.Context(), program, command, "--help").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		help += string(out)
	}
	flags := regexp.MustCompile(`(?m)^ +- (--[a-z-]+)`).FindAllStringSubmatch(string(text), -1)
	if len(flags) < 6 {
		t.Errorf("%d flags found", len(flags))
	}
	for _, flag := range flags {
		if !strings.Contains(help, flag[1]+" ") {
			t.Errorf("there is no flag %s", flag[1])
		}
	}
}
