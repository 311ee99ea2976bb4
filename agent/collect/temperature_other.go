//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/sensors"
)

type temperatureReader struct{}

func newTemperatureReader(system) *temperatureReader { return &temperatureReader{} }

func (*temperatureReader) read(ctx context.Context, out []temperatureReading) ([]temperatureReading, error) {
	temperatures, err := sensors.TemperaturesWithContext(ctx)
	if len(temperatures) == 0 {
		// Most systems ask for privileges, or have no sensors that they show.
		if err != nil {
			return out, unsupported("no temperatures: %v", err)
		}
		return out, unsupported("no temperature sensors")
	}
	for _, t := range temperatures {
		out = append(out, temperatureReading{sensorName(t.SensorKey), t.Temperature})
	}
	return out, nil
}
