package collect

import "context"

// diskIOSource measures what goes to and from whole disks. Partitions, loop
// devices and memory disks are left out.
type diskIOSource struct {
	reader   *diskIOReader
	readings []counterReading
	table    counterTable
}

func newDiskIOSource(sys system, host hostSeries) *diskIOSource {
	reader := newDiskIOReader(sys)
	return &diskIOSource{
		reader: reader,
		table: counterTable{
			host: host, label: "device", ignore: reader.ignore,
			columns: []counterColumn{
				{metricType: "disk_read"},
				{metricType: "disk_write"},
				{metricType: "disk_read_operations"},
				{metricType: "disk_write_operations"},
				// Milliseconds a second, of which 1000 are 100 percent.
				{metricType: "disk_busy", scale: 0.1, percent: true},
			},
		},
	}
}

func (s *diskIOSource) name() string { return "disk_io" }

func (s *diskIOSource) collect(ctx context.Context, r *round) error {
	var err error
	if s.readings, err = s.reader.read(ctx, s.readings[:0]); err != nil {
		return err
	}
	s.table.observe(r, s.readings)
	return nil
}
