package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takesNumbers is the annotation of commands whose arguments may be negative
// numbers.
const takesNumbers = "vitals_takes_numbers"

// numbersApart lets a command have negative numbers among its arguments, which
// would be read as flags: it moves all arguments behind a "--".
func numbersApart(root *cobra.Command, args []string) []string {
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.Annotations[takesNumbers] == "" {
		return args
	}
	var flags, plain []string
	negative := false
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		switch {
		case arg == "--":
			plain = append(plain, rest[i+1:]...)
			i = len(rest)
		case isNegative(arg):
			negative = true
			plain = append(plain, arg)
		case len(arg) < 2 || arg[0] != '-':
			plain = append(plain, arg)
		default:
			flags = append(flags, arg)
			if wantsValue(cmd, arg) && i+1 < len(rest) {
				i++
				flags = append(flags, rest[i])
			}
		}
	}
	if !negative {
		return args
	}
	path := strings.Fields(cmd.CommandPath())[1:]
	return slices.Concat(path, flags, []string{"--"}, plain)
}

// isNegative tells a negative number from a flag.
func isNegative(arg string) bool {
	_, err := strconv.ParseFloat(arg, 64)
	return err == nil && len(arg) > 1 && arg[0] == '-' && (arg[1] == '.' || arg[1] >= '0' && arg[1] <= '9')
}

// wantsValue reports whether a flag as it is written takes the next word as its
// value.
func wantsValue(cmd *cobra.Command, arg string) bool {
	name, long := strings.CutPrefix(arg, "--")
	var f *pflag.Flag
	switch {
	case strings.Contains(name, "="):
		return false
	case long:
		f = anyFlag(cmd, func(set *pflag.FlagSet) *pflag.Flag { return set.Lookup(name) })
	case len(arg) == 2:
		f = anyFlag(cmd, func(set *pflag.FlagSet) *pflag.Flag { return set.ShorthandLookup(arg[1:]) })
	}
	return f != nil && f.NoOptDefVal == ""
}

// anyFlag finds one among a command's own flags and those that it inherits.
func anyFlag(cmd *cobra.Command, find func(*pflag.FlagSet) *pflag.Flag) *pflag.Flag {
	if f := find(cmd.Flags()); f != nil {
		return f
	}
	return find(cmd.InheritedFlags())
}
