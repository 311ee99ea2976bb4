package procfs

import (
	"bytes"
	"errors"
)

// Mount is a mounted file system.
type Mount struct {
	// Device is the source: a block device, or what the file system calls it.
	Device string
	// Point is the path at which it is mounted.
	Point string
	// Root is the directory of the file system that shows at Point: other than
	// "/" for a bind mount or a subvolume.
	Root string
	// Type is the file system's type, such as ext4.
	Type string
}

// ParseMountinfo reads /proc/PID/mountinfo, in the order in which the file
// systems were mounted.
func ParseMountinfo(text []byte) ([]Mount, error) {
	var mounts []Mount
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		// ID, parent, device number, root, mount point, options and any number
		// of optional fields; then, after a hyphen, type and source.
		left, right, found := bytes.Cut(line, []byte(" - "))
		var fields [5][]byte
		for i := range fields {
			fields[i], left = cutField(left)
		}
		fsType, rest := cutField(right)
		device, _ := cutField(rest)
		if !found || len(fields[4]) == 0 || len(fsType) == 0 {
			return nil, errors.New("mountinfo: a line without its fields: " + string(line))
		}
		mounts = append(mounts, Mount{
			Device: unescape(device),
			Point:  unescape(fields[4]),
			Root:   unescape(fields[3]),
			Type:   string(fsType),
		})
	}
	return mounts, nil
}

// unescape undoes the kernel's \040 for a blank and its like.
func unescape(field []byte) string {
	if bytes.IndexByte(field, '\\') < 0 {
		return string(field)
	}
	out := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		if c, ok := octal(field[i:]); ok {
			out = append(out, c)
			i += 3
			continue
		}
		out = append(out, field[i])
	}
	return string(out)
}

// octal reads a backslash and three octal digits.
func octal(b []byte) (byte, bool) {
	if len(b) < 4 || b[0] != '\\' || b[1] > '3' {
		return 0, false
	}
	n := 0
	for _, c := range b[1:4] {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return byte(n), true
}
