//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/net"
)

type networkReader struct{}

func newNetworkReader(system) *networkReader { return &networkReader{} }

func (*networkReader) read(ctx context.Context, out []counterReading) ([]counterReading, error) {
	interfaces, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return out, orUnsupported(err)
	}
	for _, i := range interfaces {
		out = append(out, counterReading{[]byte(i.Name), [columns]uint64{
			i.BytesRecv, i.BytesSent, i.PacketsRecv, i.PacketsSent, i.Errin, i.Errout,
		}})
	}
	return out, nil
}
