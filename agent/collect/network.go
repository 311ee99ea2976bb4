package collect

import (
	"context"
	"strings"
)

// networkSource measures what goes through each network interface.
type networkSource struct {
	reader   *networkReader
	readings []counterReading
	table    counterTable
}

func newNetworkSource(sys system, host hostSeries) *networkSource {
	return &networkSource{
		reader: newNetworkReader(sys),
		table: counterTable{
			host: host, label: "interface", ignore: isContainerEnd,
			columns: []counterColumn{
				{metricType: "network_receive"},
				{metricType: "network_transmit"},
				{metricType: "network_receive_packets"},
				{metricType: "network_transmit_packets"},
				{metricType: "network_receive_errors"},
				{metricType: "network_transmit_errors"},
			},
		},
	}
}

// isContainerEnd is whether an interface is the host's end of a container's
// network. Those have random names and come and go with the containers, each
// time as new series; their traffic shows on the bridge and the real interface.
func isContainerEnd(name string) bool {
	return strings.HasPrefix(name, "veth") || strings.HasPrefix(name, "cali") || strings.HasPrefix(name, "lxc")
}

func (s *networkSource) name() string { return "network" }

func (s *networkSource) collect(ctx context.Context, r *round) error {
	var err error
	if s.readings, err = s.reader.read(ctx, s.readings[:0]); err != nil {
		return err
	}
	s.table.observe(r, s.readings)
	return nil
}
