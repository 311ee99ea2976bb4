package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type loadReader struct{ file procFile }

func newLoadReader(sys system) *loadReader {
	return &loadReader{procFile{path: sys.proc + "/loadavg"}}
}

func (l *loadReader) read(context.Context) ([3]float64, error) {
	text, err := l.file.read()
	if err != nil {
		return [3]float64{}, err
	}
	return procfs.ParseLoadavg(text)
}
