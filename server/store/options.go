package store

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say where and for how long history is kept. The zero value of every
// field but Dir means its default.
type Options struct {
	// Dir is the data folder; it is made with mode 0700 if it does not exist.
	Dir string
	// RawRetention is how long every sample is kept: 15 days by default, at
	// least two hours. The TSDB drops whole blocks, so that a sample may stay a
	// tenth longer.
	RawRetention time.Duration
	// RawRetentionBytes is the most that raw blocks may take; the oldest go
	// first. 0 means no limit.
	RawRetentionBytes int64
	// MinuteRetention is how long buckets of a minute are kept: 365 days by
	// default.
	MinuteRetention time.Duration
	// HourRetention is how long buckets of an hour are kept: 3,650 days by
	// default.
	HourRetention time.Duration
	// OutOfOrderWindow is how far behind the newest sample of all a late one may
	// be: 24 hours by default.
	OutOfOrderWindow time.Duration
	// MinFree is the room in bytes that is left on the disk; below it writes
	// are refused with [ErrFull]. By default 256 MiB or a twentieth of the file
	// system, whichever is less.
	MinFree int64
	// SyncInterval is how often the write-ahead log is fsynced: each second by
	// default, never if negative.
	SyncInterval time.Duration
	// RollUpInterval is how often closed buckets are written to the tiers: each
	// ten minutes by default, rounded to whole minutes. Queries are exact
	// whatever it is.
	RollUpInterval time.Duration
	// RollUpDelay is how long after its end a bucket is taken as closed, so that
	// samples on their way do not make it late: 30 seconds by default.
	RollUpDelay time.Duration
	// MendDelay is how long a host must have been quiet in an hour before a late
	// sample's hour is written anew: 30 seconds by default.
	MendDelay time.Duration
	// Logger gets what the store has to say; nil means nobody.
	Logger *slog.Logger
	// Registerer gets the TSDB's own metrics (prometheus_tsdb_...); nil means
	// nobody. A store that opens twice with one Registerer is no mistake.
	Registerer prometheus.Registerer
	// Now is the clock by which buckets close and tiers expire; time.Now by
	// default.
	Now func() time.Time
}

const day = 24 * time.Hour

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("store: no data folder given")
	}
	for _, d := range []struct {
		name     string
		field    *time.Duration
		standard time.Duration
	}{
		{"RawRetention", &o.RawRetention, 15 * day},
		{"MinuteRetention", &o.MinuteRetention, 365 * day},
		{"HourRetention", &o.HourRetention, 3650 * day},
		{"OutOfOrderWindow", &o.OutOfOrderWindow, day},
		{"RollUpInterval", &o.RollUpInterval, 10 * time.Minute},
		{"RollUpDelay", &o.RollUpDelay, 30 * time.Second},
		{"MendDelay", &o.MendDelay, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.standard
		}
		if *d.field < 0 {
			return o, fmt.Errorf("store: %s is %v; it must be more than zero", d.name, *d.field)
		}
	}
	if o.RawRetention < 2*time.Hour {
		return o, fmt.Errorf("store: raw samples are to be kept for %v; the least is 2h, the length of a block", o.RawRetention)
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = time.Second
	}
	o.RollUpInterval = max(o.RollUpInterval.Truncate(time.Minute), time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
