package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

// An agent is small beside the binary that it is part of, whose start-up is
// therefore most of its memory. The first trim waits until the agent has done
// once what it does all the time; later ones take back what a rare event, such
// as an outage, has needed.
const (
	firstTrim = 10 * time.Second
	trimEvery = 10 * time.Minute
)

// keepTrim gives back memory that is not in use, until ctx ends.
func keepTrim(ctx context.Context, logger *slog.Logger) {
	timer := time.NewTimer(firstTrim)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		debug.FreeOSMemory()
		if err := trimProgram(); err != nil {
			logger.Debug("memory that only start-up needed stays in use", "error", err)
			return
		}
		timer.Reset(trimEvery)
	}
}
