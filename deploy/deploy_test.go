// Package deploy_test checks what is shipped for operators.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
