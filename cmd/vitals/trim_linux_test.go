package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fileMemory is how much of this process' memory is mapped from files, in kB.
func fileMemory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssFile:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes
		}
	}
	t.Skip("this kernel does not tell RssFile")
	return 0
}

// TestTrimProgram trims again and again while everything goes on that trimming
// could break: code that runs, constants, stacks that are unwound and collected.
func TestTrimProgram(t *testing.T) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var out bytes.Buffer
				if err := json.NewEncoder(&out).Encode(map[string]any{"vital": []string{"signs"}}); err != nil {
					t.Error(err)
				}
				if !regexp.MustCompile(`"vital":\["(s.*s)"\]`).Match(out.Bytes()) {
					t.Errorf("JSON is %s", out.String())
				}
				func() {
					defer func() { _ = recover() }() // unwinds
					panic("unwind")
				}()
				runtime.GC()
			}
		})
	}
	before := fileMemory(t)
	least := before
	for range 5 {
		if err := trimProgram(); err != nil {
			t.Fatal(err)
		}
		least = min(least, fileMemory(t))
	}
	if least > before*3/4 {
		t.Errorf("%d kB of files were in memory and %d kB are still", before, least)
	}
}

// TestTrimmedMappings are short, however often they are trimmed, so that what is
// needed again brings little with it.
func TestTrimmedMappings(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := trimProgram(); err != nil {
			t.Fatal(err)
		}
		mappings, err := unwrittenMappings(program)
		if err != nil {
			t.Fatal(err)
		}
		if len(mappings) < 100 {
			t.Errorf("the program has %d mappings", len(mappings))
		}
		for _, m := range mappings {
			if m.end-m.start >= 2*pieceSize {
				t.Errorf("a mapping from %x to %x has %d kB", m.start, m.end, (m.end-m.start)>>10)
			}
		}
	}
}
