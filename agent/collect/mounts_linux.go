package collect

import (
	"bytes"
	"context"
	"os"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

// mountLister lists the file systems that are worth measuring.
type mountLister struct {
	file procFile
	// text is the listing that chosen was made of.
	text   []byte
	chosen []mount
}

func newMountLister(sys system) *mountLister {
	return &mountLister{file: procFile{path: sys.proc + "/self/mountinfo"}}
}

func (l *mountLister) list(context.Context) ([]mount, error) {
	text, err := l.file.read()
	if err != nil {
		return nil, err
	}
	if bytes.Equal(text, l.text) {
		return l.chosen, nil
	}
	mounts, err := procfs.ParseMountinfo(text)
	if err != nil {
		return nil, err
	}
	listing := make([]mounted, len(mounts))
	for i, m := range mounts {
		listing[i] = mounted{point: m.Point, device: m.Device, fsType: m.Type, part: m.Root != "/"}
	}
	l.chosen = chooseMounts(listing, isFolder)
	l.text = append(l.text[:0], text...)
	return l.chosen, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
