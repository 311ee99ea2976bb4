package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// span writes a duration as its flag takes it: 1d1h.
func span(d time.Duration) string { return model.Duration(d).String() }

// anyNumber is what the flags take that bound nothing.
const anyNumber = -1

// needs returns an error unless ok: what a flag is, and what to give instead.
func needs(ok bool, flag string, value any, instead string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("--%s is %v: give %s", flag, value, instead)
}

// atLeast is the least of a flag; why says what is not possible below, or nothing.
func atLeast[T cmp.Ordered](flag string, value, least T, why string) error {
	instead := fmt.Sprintf("at least %v", least)
	if why != "" {
		instead += ", " + why
	}
	return needs(value >= least, flag, value, instead)
}

// positiveOrAny is of a flag that takes anyNumber.
func positiveOrAny(flag string, value int) error {
	return needs(value > 0 || value == anyNumber, flag, value, "1 or more, or -1 for any number")
}

// The least that makes sense of some flags.
const (
	leastMessage  = 16 << 10
	leastRate     = 100
	leastRetained = 2 * time.Hour // a block of the TSDB
	leastHistory  = 10_000_000
	leastMemory   = 32 << 20
	leastWindow   = time.Minute
	leastSpool    = 1_000_000
	leastSpoolAge = 2 * time.Minute
	leastLifetime = time.Second
)

// check refuses values with which a server would run and be of no use.
func (c *serveConfig) check() error {
	o, h, admit := &c.options, &c.options.History, &c.options.Admission
	late := fmt.Sprintf("at least %s, an hour more than --out-of-order-window, for hours are made again of their minutes while samples may come late", span(h.OutOfOrderWindow+time.Hour))
	return errors.Join(
		atLeast("max-hosts", o.MaxHosts, 1, ""),
		atLeast("max-series-per-host", o.MaxSeriesPerHost, 1, ""),
		atLeast("max-sample-rate", o.MaxSampleRate, leastRate, "for one round of a host has as many"),
		atLeast("max-message-bytes", o.MaxMessageBytes, leastMessage, "for one round of a host takes as much"),
		atLeast("max-streams", o.MaxStreams, 1, ""),
		atLeast("max-stream-age", o.MaxStreamAge, leastLifetime, ""),
		atLeast("idle-timeout", o.IdleTimeout, leastLifetime, ""),
		atLeast("read-timeout", o.ReadTimeout, leastLifetime, ""),
		atLeast("send-timeout", o.SendTimeout, leastLifetime, ""),
		needs(o.ShutdownTimeout > 0, "shutdown-timeout", o.ShutdownTimeout, "more than 0, such as 1ms to wait for nobody"),
		needs(o.MaxConnectionAge == 0 || o.MaxConnectionAge >= leastLifetime, "max-connection-age", o.MaxConnectionAge, "at least 1s, or 0 for no limit"),
		needs(c.listen.connections >= anyNumber, "max-connections", c.listen.connections, "1 or more, or -1 for any number"),
		positiveOrAny("max-connections-per-address", c.listen.connectionsPerAddress),
		positiveOrAny("max-calls-per-second", admit.CallsPerSecond),
		positiveOrAny("max-streams-per-caller", admit.StreamsPerCaller),
		needs(admit.BytesPerSecond == anyNumber || admit.BytesPerSecond >= leastMessage, "max-bytes-per-second", admit.BytesPerSecond, fmt.Sprintf("at least %d, or -1 for any number", leastMessage)),
		positiveOrAny("max-calls-at-work", admit.CallsAtWork),
		positiveOrAny("max-calls-at-work-per-caller", admit.CallsAtWorkPerCaller),
		needs(admit.MaxMemory == 0 || admit.MaxMemory >= leastMemory, "max-memory", admit.MaxMemory, fmt.Sprintf("at least %d, which a server needs by itself, or 0 for no bound", leastMemory)),
		atLeast("out-of-order-window", h.OutOfOrderWindow, leastWindow, "for agents are late by some seconds at each reconnection"),
		needs(h.RawRetention >= leastRetained, "retention", span(h.RawRetention), "at least 2h, which is how much of history goes at a time"),
		needs(h.RawRetentionBytes == 0 || h.RawRetentionBytes >= leastHistory, "retention-size", h.RawRetentionBytes, "at least 10MB, which the last hours alone take"),
		needs(h.MinuteRetention >= h.OutOfOrderWindow+time.Hour, "retention-minute", span(h.MinuteRetention), late),
		needs(h.HourRetention >= h.OutOfOrderWindow+time.Hour, "retention-hour", span(h.HourRetention), late),
	)
}

// check refuses values with which an agent would run and be of no use.
func (c *agentConfig) check() error {
	return errors.Join(
		needs(c.interval >= 100*time.Millisecond, "interval", c.interval, "at least 100ms, for less would measure the agent more than the machine"),
		needs(c.spool.MaxBytes >= leastSpool, "spool-size", c.spool.MaxBytes, "at least 1MB, which is some minutes of samples"),
		needs(c.spool.MaxAge >= leastSpoolAge, "spool-age", span(c.spool.MaxAge), "at least 2m, for samples are kept until the server has acknowledged them"),
	)
}
