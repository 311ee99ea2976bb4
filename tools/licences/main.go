// Command licences checks that all that is linked into the vitals binary, or
// bundled into its page, is under a licence that goes together with Apache 2.0 as
// Vitals has it. Its argument is the repository's root; it prints what does not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences that may be linked in, by their SPDX names. MPL-2.0
// binds the files that it covers alone, which we do not change.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-0-Clause", "0BSD", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib"}

// mostlyCovered is how much of a file must be a licence's text, in percent.
const mostlyCovered = 60

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go -C tools run ./licences ..")
		os.Exit(2)
	}
	err := os.Chdir(os.Args[1])
	var problems []string
	var checked int
	if err == nil {
		problems, checked, err = check(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(2)
	}
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(problems, "\n"))
		os.Exit(1)
	}
	fmt.Printf("licences: %d modules and packages, all of them %s\n", checked, strings.Join(allowed, ", "))
}

func check(ctx context.Context) (problems []string, checked int, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/vitals").Output()
	if err != nil {
		return nil, 0, fmt.Errorf("listing what is linked in: %w", err)
	}
	modules := strings.Fields(strings.ReplaceAll(string(out), "\t", "|"))
	slices.Sort(modules)
	for _, module := range slices.Compact(modules) {
		name, dir, _ := strings.Cut(module, "|")
		checked++
		if problem := judge(dir); problem != "" {
			problems = append(problems, name+": "+problem)
		}
	}
	packages, err := bundled("web")
	for _, name := range packages {
		checked++
		licence, err := licenceOf(filepath.Join("web/node_modules", name))
		if err != nil {
			return nil, 0, err
		}
		for _, one := range strings.Fields(strings.NewReplacer("(", "", ")", "", " AND ", " ").Replace(licence)) {
			if !slices.Contains(allowed, one) {
				problems = append(problems, name+": "+licence)
			}
		}
	}
	return problems, checked, err
}

// judge looks at a module's licence files; it returns what is wrong.
func judge(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err.Error()
	}
	found := false
	for _, file := range files {
		base := strings.ToUpper(filepath.Base(file))
		if !strings.HasPrefix(base, "LICENSE") && !strings.HasPrefix(base, "LICENCE") && !strings.HasPrefix(base, "COPYING") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		coverage := licensecheck.Scan(text)
		for _, match := range coverage.Match {
			if !slices.Contains(allowed, match.ID) {
				return fmt.Sprintf("%s is %s", filepath.Base(file), match.ID)
			}
		}
		found = found || coverage.Percent >= mostlyCovered
	}
	if !found {
		return "no licence that is known"
	}
	return ""
}

// bundled are the packages that the page is made with and that are in it.
func bundled(web string) ([]string, error) {
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	text, err := os.ReadFile(filepath.Join(web, "package.json"))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &manifest)
	var names []string
	for name := range manifest.Dependencies {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, err
}

func licenceOf(dir string) (string, error) {
	var manifest struct {
		License string `json:"license"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return "", fmt.Errorf("%w: run npm --prefix web ci first", err)
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return "", err
	}
	if manifest.License == "" {
		return "", errors.New(dir + " says no licence")
	}
	return manifest.License, nil
}
