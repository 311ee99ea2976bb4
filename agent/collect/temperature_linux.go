package collect

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// temperatureReader reads the hardware monitors of /sys, or the thermal zones
// where there are no monitors.
type temperatureReader struct {
	sys     string
	sensors []sensor
	// listedFor counts the readings since the sensors were listed.
	listedFor int
}

type sensor struct {
	name string
	file procFile
}

// relist is after how many readings the sensors are listed anew, about a
// minute: a disk may have been plugged in.
const relist = 12

func newTemperatureReader(sys system) *temperatureReader {
	return &temperatureReader{sys: sys.sys}
}

func (t *temperatureReader) read(_ context.Context, out []temperatureReading) ([]temperatureReading, error) {
	if len(t.sensors) == 0 || t.listedFor >= relist {
		t.list()
	}
	t.listedFor++
	if len(t.sensors) == 0 {
		return out, unsupported("no temperature sensors in %s/class/hwmon or %s/class/thermal (usual in a virtual machine or container)", t.sys, t.sys)
	}
	for i := range t.sensors {
		// A sensor that does not answer (its device sleeps) is left out.
		text, err := t.sensors[i].file.read()
		if err != nil {
			continue
		}
		millidegrees, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil {
			out = append(out, temperatureReading{t.sensors[i].name, float64(millidegrees) / 1000})
		}
	}
	return out, nil
}

// list finds the sensors. The files of the last listing stay open.
func (t *temperatureReader) list() {
	found := t.monitors()
	if len(found) == 0 {
		found = t.zones()
	}
	open := map[string]procFile{}
	for _, s := range t.sensors {
		open[s.file.path] = s.file
	}
	for i := range found {
		if file, ok := open[found[i].file.path]; ok {
			found[i].file = file
		} else {
			found[i].file.buf = make([]byte, 64)
		}
		delete(open, found[i].file.path)
	}
	for _, file := range open {
		file.close()
	}
	t.sensors, t.listedFor = found, 0
}

// monitors finds the sensors of chips. Two chips of a kind, such as two NVMe
// disks, are told apart by their device.
func (t *temperatureReader) monitors() []sensor {
	inputs, _ := filepath.Glob(t.sys + "/class/hwmon/hwmon*/temp*_input")
	folders := map[string]map[string]bool{}
	for _, input := range inputs {
		folder := filepath.Dir(input)
		chip := firstLine(folder + "/name")
		if folders[chip] == nil {
			folders[chip] = map[string]bool{}
		}
		folders[chip][folder] = true
	}
	var found []sensor
	taken := map[string]bool{}
	for _, input := range inputs {
		folder := filepath.Dir(input)
		chip := firstLine(folder + "/name")
		if chip != "" && len(folders[chip]) > 1 {
			chip += "_" + deviceOf(folder)
		}
		channel := strings.TrimSuffix(filepath.Base(input), "_input")
		label := firstLine(folder + "/" + channel + "_label")
		if label == "" {
			label = channel
		}
		name := sensorName(chip, label)
		if taken[name] {
			name = sensorName(filepath.Base(folder), name, channel)
		}
		taken[name] = true
		found = append(found, sensor{name: name, file: procFile{path: input}})
	}
	return found
}

// deviceOf names the device that a monitor belongs to.
func deviceOf(folder string) string {
	device, err := filepath.EvalSymlinks(folder + "/device")
	if err != nil {
		return filepath.Base(folder)
	}
	return filepath.Base(device)
}

// zones finds the thermal zones.
func (t *temperatureReader) zones() []sensor {
	inputs, _ := filepath.Glob(t.sys + "/class/thermal/thermal_zone*/temp")
	var found []sensor
	for _, input := range inputs {
		folder := filepath.Dir(input)
		kind := firstLine(folder + "/type")
		number := strings.TrimPrefix(filepath.Base(folder), "thermal_zone")
		found = append(found, sensor{name: sensorName(kind, "zone"+number), file: procFile{path: input}})
	}
	return found
}

// firstLine is a small file's first line, or "".
func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
