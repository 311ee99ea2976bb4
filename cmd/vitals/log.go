package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// logConfig is how a long-running command logs.
type logConfig struct{ format, level string }

func (c *logConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&c.format, "log-format", "auto", "`format` of the log: text, json, or auto (text on a terminal, json else)")
	f.StringVar(&c.level, "log-level", "info", "least `level` that is logged: debug, info, warn or error; debug has every call")
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// logger makes the logger: text on a terminal, JSON else, unless the format says
// otherwise.
func (c logConfig) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.level)); err != nil {
		return nil, fmt.Errorf("log level %q is none of debug, info, warn and error", c.level)
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: readableDuration}
	switch strings.ToLower(c.format) {
	case "auto":
		if isTerminal(w) {
			return slog.New(slog.NewTextHandler(w, opts)), nil
		}
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %q is none of auto, text and json", c.format)
}

// readableDuration writes durations as 1.5s also in JSON, which has nanoseconds
// otherwise.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
