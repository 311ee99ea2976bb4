package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// applySettings gives each flag that was not on the command line its value from
// the environment or, failing that, from the configuration file.
func applySettings(cmd *cobra.Command, _ []string) error {
	file, err := readConfig(cmd)
	if err != nil {
		return usageError{err}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		source := "environment variable " + envName(f.Name)
		value, ok := os.LookupEnv(envName(f.Name))
		if !ok {
			source = "configuration file, " + f.Name
			value, ok = file[f.Name]
		}
		if !ok {
			return
		}
		if setErr := cmd.Flags().Set(f.Name, value); setErr != nil {
			err = usageError{fmt.Errorf("%s: %w", source, setErr)}
		}
	})
	return err
}

// envName is the environment variable of a flag: VITALS_LISTEN for --listen.
func envName(flag string) string {
	return "VITALS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readConfig reads the configuration file, if one is named, as text by flag name.
func readConfig(cmd *cobra.Command) (map[string]string, error) {
	flag := cmd.Flags().Lookup("config")
	path := flag.Value.String()
	if !flag.Changed {
		if env, ok := os.LookupEnv(envName("config")); ok {
			path = env
		}
	}
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	settings, err := parseConfig(data, knownFlags(cmd.Root()))
	if err != nil {
		return nil, fmt.Errorf("configuration file %s %w", path, err)
	}
	return settings, nil
}

// parseConfig reads a YAML map of known flag names to values, as text.
func parseConfig(data []byte, known []string) (map[string]string, error) {
	var lines map[string]any
	if err := yaml.Unmarshal(data, &lines); err != nil {
		return nil, fmt.Errorf("is no YAML map of flag names to values: %w", err)
	}
	settings := map[string]string{}
	for name, value := range lines {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("is wrong: %q is no flag of any command", name)
		}
		settings[name] = settingText(value)
	}
	return settings, nil
}

func settingText(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	var parts []string
	for _, v := range list {
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, ",")
}

// knownFlags are the names of all flags of all commands, since one file serves
// them all.
func knownFlags(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.Flags().VisitAll(add)
	cmd.PersistentFlags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		names = append(names, knownFlags(sub)...)
	}
	return names
}
