package main

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// A second of a thousand hosts: their samples, and ten drawings.
func BenchmarkTopThousandHosts(b *testing.B) {
	tt := newTopTest(b, "")
	tt.send(tea.WindowSizeMsg{Width: 160, Height: 50})
	tt.press("c")
	for b.Loop() {
		tt.wait(time.Second)
		for i := range 1000 {
			tt.measure(fmt.Sprintf("host-%d", i), float64(i%100), 4, 1e6)
		}
		for range 10 {
			tt.m.View()
		}
	}
}
