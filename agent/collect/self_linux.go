package collect

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type selfReader struct{ statm procFile }

func newSelfReader(sys system) *selfReader {
	return &selfReader{procFile{path: sys.proc + "/self/statm"}}
}

// read returns the processor time and the resident bytes of this process.
func (s *selfReader) read(context.Context) (spent time.Duration, resident uint64, err error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, 0, err
	}
	text, err := s.statm.read()
	if err != nil {
		return 0, 0, err
	}
	pages, err := procfs.ParseStatm(text)
	if err != nil {
		return 0, 0, err
	}
	spent = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return spent, pages * uint64(os.Getpagesize()), nil
}
