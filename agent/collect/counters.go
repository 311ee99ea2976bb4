package collect

import (
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// columns is how many counters a device has at most.
const columns = 6

// counterReading is one device's counters. The name is valid until the next
// reading.
type counterReading struct {
	name     []byte
	counters [columns]uint64
}

// counterColumn says what a counter's growth is reported as.
type counterColumn struct {
	metricType string
	// scale turns growth a second into the type's unit; 0 is 1.
	scale float64
	// percent is whether the value is kept to 100 and a counter that is still
	// zero is left out, as some systems do not count this column.
	percent bool
}

// counterTable turns the counters of a changing set of devices into rates.
type counterTable struct {
	host    hostSeries
	label   string
	columns []counterColumn
	// ignore chooses devices that are not reported; it is asked once a device.
	ignore func(name string) bool
	rows   map[string]*counterRow
	rounds int
}

type counterRow struct {
	ignored bool
	// series is made when the device has first been used: many systems list
	// dozens of devices that never are.
	series []*metric.Series
	before [columns]uint64
	at     time.Duration
	round  int
}

// observe adds the rates of one round's readings and forgets devices that are
// gone.
func (t *counterTable) observe(r *round, readings []counterReading) {
	t.rounds++
	for i := range readings {
		t.row(readings[i].name).observe(r, t, &readings[i])
	}
	if len(t.rows) == len(readings) {
		return
	}
	for name, row := range t.rows {
		if row.round != t.rounds {
			delete(t.rows, name)
		}
	}
}

func (t *counterTable) row(name []byte) *counterRow {
	if row := t.rows[string(name)]; row != nil {
		return row
	}
	if t.rows == nil {
		t.rows = map[string]*counterRow{}
	}
	row := &counterRow{ignored: t.ignore != nil && t.ignore(string(name))}
	t.rows[string(name)] = row
	return row
}

func (row *counterRow) observe(r *round, t *counterTable, reading *counterReading) {
	known := row.round > 0
	row.round = t.rounds
	if row.ignored {
		return
	}
	seconds := (r.at - row.at).Seconds()
	before := row.before
	row.before, row.at = reading.counters, r.at
	if row.series == nil {
		if reading.counters == ([columns]uint64{}) {
			return
		}
		row.series = t.newSeries(string(reading.name))
	}
	if !known || seconds <= 0 || wentBack(before, reading.counters) {
		return
	}
	for i, column := range t.columns {
		if column.percent && reading.counters[i] == 0 {
			continue
		}
		value := column.value(float64(reading.counters[i]-before[i]) / seconds)
		if column.percent {
			r.addPercent(row.series[i], value)
		} else {
			r.addRate(row.series[i], value, seconds)
		}
	}
}

func (t *counterTable) newSeries(name string) []*metric.Series {
	series := make([]*metric.Series, len(t.columns))
	for i, column := range t.columns {
		series[i] = t.host.series(column.metricType, t.label, labelValue(name))
	}
	return series
}

func (c counterColumn) value(rate float64) float64 {
	if c.scale != 0 {
		rate *= c.scale
	}
	if c.percent {
		return min(rate, 100)
	}
	return rate
}

// wentBack is whether any counter was reset: the device was made anew, or the
// counter wrapped. Then none of its growth is known.
func wentBack(before, now [columns]uint64) bool {
	for i := range now {
		if now[i] < before[i] {
			return true
		}
	}
	return false
}
