package main

import (
	"slices"
	"strings"
	"testing"
)

func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		"", "listen: localhost:1", "listen: [a, b]\nmax-hosts: 7", "listen: {a: b}", "- a", "? [x]\n: y", "token: vitals_user_x",
		"a: &a [*a]", "a: &a {b: 1}\n<<: *a", "listen: !!binary AAAA", "\x00", "listen: 1e999", strings.Repeat("[", 2000),
	} {
		f.Add(seed)
	}
	known := knownFlags(newRoot())
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := parseConfig([]byte(text), known)
		if err != nil && settings != nil {
			t.Errorf("%v beside %v", settings, err)
		}
		for name := range settings {
			if !slices.Contains(known, name) {
				t.Errorf("%q is no flag", name)
			}
		}
	})
}
