package simulate

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// machine is the state of one simulated host that its series share.
type machine struct {
	random *rand.Rand
	cores  float64
	memory float64 // installed, in bytes
	phase  float64 // of the daily rhythm, in days

	at       int64   // the round's time in milliseconds
	seconds  float64 // since the round before
	started  int64
	noise    float64 // of the load, a random walk that returns
	burst    float64 // what is left of one
	busy     float64 // 0 to 1
	jitter   float64 // how much longer than an interval the counters ran
	rounds   int
	slow     bool // the round in which slow sources measure
	lastSlow int64
	volumes  map[string]*volume // by their mounts
}

// volume is a file system, which stands still and steps.
type volume struct {
	capacity, used float64 // in bytes
	at             int64   // when it was moved on
}

func newMachine(random *rand.Rand) *machine {
	return &machine{
		random: random,
		cores:  float64(int(2) << random.IntN(5)),
		memory: float64(int64(4<<30) << random.IntN(5)),
		phase:  0.1 * random.NormFloat64(),

		volumes: map[string]*volume{},
	}
}

// volume is the file system at a mount; its series share it.
func (m *machine) volume(mount string) *volume {
	v := m.volumes[mount]
	if v == nil {
		v = &volume{capacity: 32e9 * float64(int(1)<<m.random.IntN(6))}
		v.used = v.capacity * (0.2 + 0.5*m.random.Float64())
		m.volumes[mount] = v
	}
	return v
}

// advance moves the file system on to the machine's round, once.
func (v *volume) advance(m *machine) {
	if v.at == m.at {
		return
	}
	v.at = m.at
	switch {
	case v.used > 0.9*v.capacity:
		v.used -= 0.3 * v.capacity // somebody cleaned up
	case m.random.IntN(12) == 0:
		v.used += 200e3 * m.random.ExpFloat64()
	}
}

// slowInterval is how often the slow sources of a collector measure.
const slowInterval = 5 * time.Second

// advance moves the machine on to a time.
func (m *machine) advance(at int64) {
	m.seconds = 1
	if m.rounds == 0 {
		m.started = at - int64(m.random.IntN(90*24*3600))*1000
	} else {
		m.seconds = float64(at-m.at) / 1000
	}
	m.slow = m.rounds == 0 || at-m.lastSlow >= slowInterval.Milliseconds()
	if m.slow {
		m.lastSlow = at
	}
	m.at = at
	m.rounds++

	day := float64(at%(24*3600*1000))/(24*3600*1000) + m.phase
	rhythm := 0.3 - 0.22*math.Cos(2*math.Pi*(day-0.125)) // the quietest is at three in the night
	m.noise = 0.97*m.noise + 0.012*m.random.NormFloat64()
	m.burst *= 0.9
	if m.random.IntN(600) == 0 {
		m.burst = 0.6 * m.random.Float64()
	}
	m.busy = min(max(rhythm+m.noise+m.burst, 0.002), 1)
	m.jitter = 1 + 0.0002*m.random.ExpFloat64()
}

// nearest rounds to a multiple of step, as the collector does; see its rounding.go.
func nearest(v, step float64) float64 { return math.Round(v/step) * step }

func bounded(percent float64) float64 { return nearest(min(percent, 100), 1.0/16) }

// percent is a share of a core as the kernel counts it: in hundredths of a second
// of each core.
func (m *machine) percent(share, cores float64) float64 {
	ticks := math.Round(100 * cores * m.seconds * min(max(share, 0), 1))
	return bounded(100 * ticks / (100 * cores * m.seconds))
}

// rate is a counter's growth a second: whole things over a time that is never
// quite the interval.
func (m *machine) rate(perSecond float64) float64 {
	v := math.Round(max(perSecond, 0)*m.seconds) / (m.seconds * m.jitter)
	_, exponent := math.Frexp(v)
	return nearest(v, max(1.0/4, math.Ldexp(1, exponent-11)))
}

func gigabytes(bytes float64) float64 {
	return nearest(bytes/1e9, 1.0/1024)
}

func hundredths(v float64) float64 { return nearest(v, 1.0/128) }

// generator gives the next value of one series.
type generator func(m *machine) float64

// slowTypes are measured each slowInterval.
var slowTypes = map[string]bool{"processes": true, "process_cpu": true, "process_memory": true, "temperature": true}

// newGenerator makes the generator of a series. Those of a family (network, disk)
// differ in scale; place is the series' place on its host.
func newGenerator(k kind, m *machine, place int) generator {
	if g := processors(k, m); g != nil {
		return g
	}
	if g := space(k, m); g != nil {
		return g
	}
	switch {
	case strings.HasSuffix(k.name, "_errors"):
		return func(*machine) float64 { return 0 }
	case strings.HasPrefix(k.name, "disk_"), strings.HasPrefix(k.name, "network_"):
		return traffic(k, m, place)
	}
	return others(k, m)
}

func processors(k kind, m *machine) generator {
	switch k.name {
	case "cpu":
		return func(m *machine) float64 { return m.percent(m.busy, m.cores) }
	case "cpu_core":
		skew := 0.15 * m.random.NormFloat64()
		return func(m *machine) float64 { return m.percent(m.busy+skew*m.busy+0.05*m.random.NormFloat64(), 1) }
	case "cpu_mode":
		share := map[string]float64{"user": 0.7, "system": 0.25, "iowait": 0.03, "irq": 0.01}[k.labels.Get("mode")]
		return func(m *machine) float64 { return m.percent(share*m.busy*(1+0.1*m.random.NormFloat64()), m.cores) }
	case "load1", "load5", "load15":
		minutes := map[string]float64{"load1": 1, "load5": 5, "load15": 15}[k.name]
		load := 0.3 * m.cores
		return func(m *machine) float64 {
			load += (m.busy*m.cores - load) * (1 - math.Exp(-m.seconds/60/minutes))
			return hundredths(load)
		}
	case "pressure":
		waiting := 0.0
		return func(m *machine) float64 {
			waiting += (100*max(m.busy-0.6, 0) - waiting) * (1 - math.Exp(-m.seconds/10))
			return hundredths(waiting)
		}
	case "agent_cpu":
		return func(m *machine) float64 { return nearest(0.3/m.cores*(1+0.1*m.random.NormFloat64()), 1.0/1024) }
	}
	return nil
}

// space is memory, which drifts, and file systems.
func space(k kind, m *machine) generator {
	switch k.name {
	case "memory_total":
		return func(m *machine) float64 { return gigabytes(0.98 * m.memory) }
	case "memory", "memory_available", "memory_cached", "agent_memory", "process_memory":
		part := map[string]float64{"memory": 0.5, "memory_available": 0.45, "memory_cached": 0.3, "agent_memory": 0.001}[k.name]
		if part == 0 {
			part = 0.02 + 0.1*m.random.Float64()
		}
		drift := 0.0
		return func(m *machine) float64 {
			if m.random.IntN(2) == 0 { // between rounds many pages come and go, or none
				drift = 0.9999*drift + 0.0003*m.random.NormFloat64()
			}
			return gigabytes(m.memory * part * max(1+drift+0.05*m.busy*math.Round(10*m.busy)/10, 0.1))
		}
	case "swap_total":
		return func(*machine) float64 { return 2.147479552 }
	case "swap_used":
		used := float64(m.random.IntN(1 << 28))
		return func(m *machine) float64 {
			if m.random.IntN(300) == 0 {
				used = max(used+1e6*m.random.NormFloat64(), 0)
			}
			return gigabytes(used)
		}
	case "disk", "disk_space_used", "disk_space_free", "disk_space_total":
		return fileSystem(k, m)
	}
	return nil
}

func fileSystem(k kind, m *machine) generator {
	mount := k.labels.Get("mount")
	if mount == "" {
		mount = "/" // the type "disk" is about no other
	}
	v := m.volume(mount)
	return func(m *machine) float64 {
		v.advance(m)
		switch k.name {
		case "disk_space_total":
			return gigabytes(v.capacity)
		case "disk_space_free":
			return gigabytes(0.95*v.capacity - v.used) // a reserve is left out
		}
		return gigabytes(v.used)
	}
}

// traffic comes in bursts, and on most devices there is often none.
func traffic(k kind, m *machine, place int) generator {
	scale, size := 40*math.Exp(0.8*m.random.NormFloat64()), 900.0
	if strings.HasPrefix(k.name, "disk_") {
		scale, size = scale/4, 16384
	}
	quiet := 0.2 + 0.6*m.random.Float64()
	if place < 20 {
		quiet = 0.1
	}
	return func(m *machine) float64 {
		if m.random.Float64() < quiet*(1-m.busy) {
			return 0
		}
		things := math.Round(scale * m.busy * math.Exp(0.7*m.random.NormFloat64()))
		switch {
		case k.name == "disk_busy":
			return bounded(math.Round(things) / 10)
		case strings.HasSuffix(k.name, "_operations"), strings.HasSuffix(k.name, "_packets"):
			return m.rate(things)
		case strings.HasPrefix(k.name, "disk_"):
			return m.rate(math.Round(things) * size)
		}
		return m.rate(things * size * (0.5 + m.random.Float64()))
	}
}

func others(k kind, m *machine) generator {
	switch k.name {
	case "processes":
		n := float64(120 + m.random.IntN(300))
		return func(m *machine) float64 { return n + float64(m.random.IntN(5)) }
	case "process_cpu":
		share := 0.3 * m.random.Float64()
		return func(m *machine) float64 { return m.percent(share*m.busy*(1+0.2*m.random.NormFloat64()), m.cores) }
	case "temperature":
		return func(m *machine) float64 { return math.Round(38 + 30*m.busy + m.random.Float64()) }
	case "uptime":
		return func(m *machine) float64 { return float64((m.at - m.started) / 1000) }
	case "queue_depth":
		depth := 0.0
		return func(m *machine) float64 {
			depth = max(0, depth+math.Round(10*(m.busy-0.35)+2*m.random.NormFloat64()))
			return depth
		}
	}
	total, scale := float64(m.random.IntN(1e6)), 20*math.Exp(m.random.NormFloat64())
	return func(m *machine) float64 {
		total += math.Round(max(0, scale*m.busy*m.seconds*(1+0.3*m.random.NormFloat64())))
		return total
	}
}
