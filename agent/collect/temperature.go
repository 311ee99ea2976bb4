package collect

import (
	"context"
	"strings"

	"github.com/vitals-rpc/vitals/metric"
)

// temperatureReading is what one sensor says, in degrees Celsius.
type temperatureReading struct {
	sensor string
	value  float64
}

// temperatureSource measures the temperature sensors every [SlowInterval]:
// some take milliseconds to answer.
type temperatureSource struct {
	reader   *temperatureReader
	host     hostSeries
	schedule schedule
	readings []temperatureReading
	series   map[string]*metric.Series
}

func newTemperatureSource(sys system, host hostSeries) *temperatureSource {
	return &temperatureSource{reader: newTemperatureReader(sys), host: host, series: map[string]*metric.Series{}}
}

func (s *temperatureSource) name() string { return "temperature" }

func (s *temperatureSource) collect(ctx context.Context, r *round) error {
	return s.schedule.run(ctx, r.at, func() error { return s.measure(ctx, r) })
}

func (s *temperatureSource) measure(ctx context.Context, r *round) error {
	var err error
	if s.readings, err = s.reader.read(ctx, s.readings[:0]); err != nil {
		return err
	}
	for _, reading := range s.readings {
		// What a sensor says that has nothing connected to it.
		if reading.value <= -100 || reading.value >= 300 {
			continue
		}
		series := s.series[reading.sensor]
		if series == nil {
			series = s.host.series("temperature", "sensor", reading.sensor)
			s.series[reading.sensor] = series
		}
		r.add(series, reading.value)
	}
	return nil
}

// sensorName joins the parts of a sensor's name as coretemp_package_id_0.
func sensorName(parts ...string) string {
	name := strings.ToLower(strings.Join(parts, "_"))
	return labelValue(strings.Join(strings.Fields(name), "_"))
}
