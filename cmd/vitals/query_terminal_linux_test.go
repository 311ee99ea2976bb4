package main

import (
	"fmt"
	"strings"
	"testing"
)

// On a terminal a range is a chart, in colour, of the terminal's width.
func TestQueryOnATerminal(t *testing.T) {
	srv := queryServer(t)
	command := fmt.Sprintf("%s query cpu --since 30s --server %s", binary, srv.URL)
	m := startInTmux(t, command)
	m.until("100% ┤", `━━ {hostname="web-1"}`, "greatest", "exit code 0")
	if !strings.Contains(m.do("capture-pane", "-p", "-e"), "\x1b[33m━━") {
		t.Error("the legend has no colour")
	}
	startInTmux(t, "NO_COLOR=1 "+command).until("100% ┤", `b  {hostname="web-1"}`, "exit code 0")
	startInTmux(t, "TERM=dumb "+command).until("SERIES", "exit code 0", "!┤")
}
