package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type networkReader struct {
	file       procFile
	interfaces []procfs.Interface
}

func newNetworkReader(sys system) *networkReader {
	return &networkReader{file: procFile{path: sys.proc + "/net/dev"}}
}

func (n *networkReader) read(_ context.Context, out []counterReading) ([]counterReading, error) {
	text, err := n.file.read()
	if err != nil {
		return out, err
	}
	if n.interfaces, err = procfs.ParseNetDev(text, n.interfaces[:0]); err != nil {
		return out, err
	}
	for _, i := range n.interfaces {
		out = append(out, counterReading{i.Name, [columns]uint64{
			i.ReceiveBytes, i.TransmitBytes, i.ReceivePackets, i.TransmitPackets, i.ReceiveErrors, i.TransmitErrors,
		}})
	}
	return out, nil
}
