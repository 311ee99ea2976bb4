package collect

import (
	"context"

	"golang.org/x/sys/unix"
)

// rootPath is the file system that the metric disk measures.
const rootPath = "/"

// statSpace asks for the space of the file system at path, as df does.
func statSpace(_ context.Context, path string) (space, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return space{}, err
		}
	}
	block := uint64(st.Frsize)
	if block == 0 {
		block = uint64(st.Bsize)
	}
	return space{
		total:     st.Blocks * block,
		used:      less(st.Blocks, st.Bfree) * block,
		available: st.Bavail * block,
	}, nil
}
