package metric

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCatalogIsWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	units := []Unit{Percent, GB, BytesPerSecond, CountPerSecond, Celsius, Seconds, Count}
	seen := map[string]bool{}
	for _, typ := range Types() {
		if !name.MatchString(typ.Name) || seen[typ.Name] {
			t.Errorf("%q is no good name, or is there twice", typ.Name)
		}
		seen[typ.Name] = true
		if !slices.Contains(units, typ.Unit) {
			t.Errorf("%s: the unit %q is none of the built-in ones", typ.Name, typ.Unit)
		}
		if len(typ.Help) < 15 || !strings.HasSuffix(typ.Help, ".") || strings.ToUpper(typ.Help[:1]) != typ.Help[:1] {
			t.Errorf("%s: the help %q is no sentence", typ.Name, typ.Help)
		}
		for i, label := range typ.Labels {
			if !name.MatchString(label) || slices.Contains(typ.Labels[:i], label) || label == HostLabel {
				t.Errorf("%s: the label %q is no good name", typ.Name, label)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for _, typ := range Types() {
		got, ok := Lookup(typ.Name)
		if !ok || got.Name != typ.Name || got.Unit != typ.Unit {
			t.Errorf("Lookup(%q) = %v, %v", typ.Name, got, ok)
		}
	}
	if got, ok := Lookup("nonesuch"); ok || got.Name != "" {
		t.Errorf("Lookup of an unknown name = %v, %v", got, ok)
	}
}

// The classic contract's three come first, without further labels, in its
// units.
func TestClassicTypes(t *testing.T) {
	for i, want := range []Type{{Name: CPU, Unit: Percent}, {Name: Memory, Unit: GB}, {Name: Disk, Unit: GB}} {
		got := Types()[i]
		if got.Name != want.Name || got.Unit != want.Unit || len(got.Labels) != 0 || got.Kind != Gauge {
			t.Errorf("type %d is %+v", i, got)
		}
	}
}

func TestTypesIsACopy(t *testing.T) {
	Types()[0].Name = "changed"
	if Types()[0].Name != CPU {
		t.Error("a caller can change the catalog")
	}
}
