// Package recording keeps what a real host measured over a while in a small
// file, so that measurements of storage use the values that hosts have and not
// those that somebody imagined.
//
// A file is zstd over one series behind the other: the series' name, then a
// varint for the time and eight bytes XOR the value before for each sample,
// the bytes of one place kept together, which is what makes it small.
package recording

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/vitals-rpc/vitals/metric"
)

// magic begins the file; its last byte is the format's version.
const magic = "vitals recording\x01"

// most bounds every count in a file, so that a damaged one cannot ask for all
// memory.
const most = 1 << 26

// Recording is what one host measured, in columns.
type Recording struct {
	Series []*Series
	byID   map[*metric.Series]*Series
}

// Series is the history of one series; Times are in milliseconds, ascending.
type Series struct {
	Series *metric.Series
	Times  []int64
	Values []float64
}

// Add appends a round. Series are told apart by their pointers, as a collector
// gives them. It is for one goroutine.
func (r *Recording) Add(samples []metric.Sample) {
	if r.byID == nil {
		r.byID = map[*metric.Series]*Series{}
	}
	for _, s := range samples {
		column := r.byID[s.Series]
		if column == nil {
			column = &Series{Series: s.Series}
			r.byID[s.Series] = column
			r.Series = append(r.Series, column)
		}
		column.Times = append(column.Times, s.Time)
		column.Values = append(column.Values, s.Value)
	}
}

// Join appends the samples of a later recording of the same host.
func (r *Recording) Join(later *Recording) {
	byName := map[string]*Series{}
	for _, s := range r.Series {
		byName[s.Series.Key()] = s
	}
	for _, s := range later.Series {
		if before := byName[s.Series.Key()]; before != nil {
			before.Times, before.Values = append(before.Times, s.Times...), append(before.Values, s.Values...)
		} else {
			r.Series = append(r.Series, s)
		}
	}
}

// Samples is how many samples there are.
func (r *Recording) Samples() (n int) {
	for _, s := range r.Series {
		n += len(s.Times)
	}
	return n
}

// Bounds are the times of the first and of the last sample in milliseconds.
func (r *Recording) Bounds() (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for _, s := range r.Series {
		if n := len(s.Times); n > 0 {
			first, last = min(first, s.Times[0]), max(last, s.Times[n-1])
		}
	}
	return first, last
}

// Cut returns the samples of [from, to), which it shares with r.
func (r *Recording) Cut(from, to int64) *Recording {
	out := &Recording{}
	for _, s := range r.Series {
		a, _ := slices.BinarySearch(s.Times, from)
		b, _ := slices.BinarySearch(s.Times, to)
		if a < b {
			out.Series = append(out.Series, &Series{s.Series, s.Times[a:b], s.Values[a:b]})
		}
	}
	return out
}

// Rounds calls each with the samples of one time after the other, as they were
// collected, until it returns an error. The slice is valid until each returns.
func (r *Recording) Rounds(each func([]metric.Sample) error) error {
	next := make([]int, len(r.Series))
	var round []metric.Sample
	for {
		at := int64(math.MaxInt64)
		for i, s := range r.Series {
			if next[i] < len(s.Times) {
				at = min(at, s.Times[next[i]])
			}
		}
		if at == math.MaxInt64 {
			return nil
		}
		round = round[:0]
		for i, s := range r.Series {
			if n := next[i]; n < len(s.Times) && s.Times[n] == at {
				round = append(round, metric.Sample{Series: s.Series, Time: at, Value: s.Values[n]})
				next[i]++
			}
		}
		if err := each(round); err != nil {
			return err
		}
	}
}

// WriteFile writes the recording, replacing the file.
func (r *Recording) WriteFile(path string) error {
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", out.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func (r *Recording) write(w io.Writer) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	body := binary.AppendUvarint([]byte(magic), uint64(len(r.Series)))
	for _, s := range r.Series {
		body = s.append(body)
	}
	_, err = z.Write(body)
	return errors.Join(err, z.Close())
}

func (s *Series) append(to []byte) []byte {
	to = appendString(to, s.Series.Type)
	to = appendString(to, s.Series.Host)
	to = binary.AppendUvarint(to, uint64(len(s.Series.Labels)))
	for _, l := range s.Series.Labels {
		to = appendString(appendString(to, l.Name), l.Value)
	}
	to = binary.AppendUvarint(to, uint64(len(s.Times)))
	var at, step int64
	for _, t := range s.Times {
		to = binary.AppendVarint(to, t-at-step)
		at, step = t, t-at
	}
	for place := range 8 {
		var before uint64
		for _, v := range s.Values {
			bits := math.Float64bits(v)
			to = append(to, byte((bits^before)>>(8*place)))
			before = bits
		}
	}
	return to
}

func appendString(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// ReadFile reads what WriteFile wrote.
func ReadFile(path string) (*Recording, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	r, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s is no recording, or damaged: %w", path, err)
	}
	return r, nil
}

// Read reads a recording.
func Read(in io.Reader) (*Recording, error) {
	z, err := zstd.NewReader(in)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	d := &decoder{in: bufio.NewReader(z)}
	if head := d.bytes(len(magic)); d.err == nil && string(head) != magic {
		return nil, errors.New("it does not begin as one")
	}
	r := &Recording{}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		r.Series = append(r.Series, d.series())
	}
	return r, d.err
}

// decoder reads until the first error, which it keeps.
type decoder struct {
	in  *bufio.Reader
	err error
}

func (d *decoder) bytes(n int) []byte {
	if d.err != nil {
		return nil
	}
	out := make([]byte, n)
	_, d.err = io.ReadFull(d.in, out)
	return out
}

func (d *decoder) count() int {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.in)
	if err == nil && n > most {
		err = errors.New("a count is too great")
	}
	if d.err = err; err != nil {
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return string(d.bytes(d.count())) }

func (d *decoder) series() *Series {
	metricType, host := d.string(), d.string()
	var pairs []string
	for n := 2 * d.count(); n > 0 && d.err == nil; n-- {
		pairs = append(pairs, d.string())
	}
	if d.err != nil {
		return nil
	}
	s := &Series{Series: metric.NewSeries(metricType, host, metric.NewLabels(pairs...))}
	n := d.count()
	var at, step int64
	for range n {
		delta, err := binary.ReadVarint(d.in)
		if err != nil {
			d.err = err
			return nil
		}
		step += delta
		at += step
		s.Times = append(s.Times, at)
	}
	var places [8][]byte
	for i := range places {
		places[i] = d.bytes(n)
	}
	if d.err != nil {
		return nil
	}
	var bits uint64
	for i := range n {
		for place := range places {
			bits ^= uint64(places[place][i]) << (8 * place)
		}
		s.Values = append(s.Values, math.Float64frombits(bits))
	}
	return s
}
