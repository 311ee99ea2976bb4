package collect

import (
	"slices"
	"strings"
)

// mount is a file system that is worth measuring.
type mount struct {
	point, device string
	// remote is whether a server elsewhere answers for it.
	remote bool
}

// mounted is a file system as the system lists it.
type mounted struct {
	point, device, fsType string
	// part is whether only a part of the file system shows at point: a bind
	// mount or a subvolume.
	part bool
}

// chooseMounts leaves out of a listing, which is in the order of mounting,
// what holds no data of its own (pseudo file systems, memory, images that are
// read-only and so always full), what another mount hides, and all but one
// mount of the same device. The root file system is always in. isFolder tells
// whether a path is one: containers have single files bound.
func chooseMounts(listing []mounted, isFolder func(path string) bool) []mount {
	var chosen []mounted
	for _, m := range visible(listing) {
		if !holdsData(m) {
			continue
		}
		if m.part && !isRemote(m.fsType) && !isFolder(m.point) {
			continue
		}
		chosen = append(chosen, m)
	}
	// The best mount of each device comes first.
	slices.SortStableFunc(chosen, compareMounted)
	var out []mount
	seen := map[string]bool{}
	for _, m := range chosen {
		if !seen[m.device] || m.point == "/" {
			seen[m.device] = true
			out = append(out, mount{m.point, m.device, isRemote(m.fsType)})
		}
	}
	slices.SortFunc(out, func(a, b mount) int { return strings.Compare(a.point, b.point) })
	return out
}

// visible keeps the last of several mounts at one point: it hides the others.
func visible(listing []mounted) []mounted {
	last := map[string]int{}
	for i, m := range listing {
		last[m.point] = i
	}
	var out []mounted
	for i, m := range listing {
		if last[m.point] == i {
			out = append(out, m)
		}
	}
	return out
}

func compareMounted(a, b mounted) int {
	rank := func(m mounted) int {
		switch {
		case m.point == "/":
			return 0
		case !m.part:
			return 1
		}
		return 2
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return len(a.point) - len(b.point)
}

// holdsData is whether a file system has space of its own that can fill up.
func holdsData(m mounted) bool {
	switch m.fsType {
	case "autofs", "tmpfs", "ramfs", "devtmpfs", "devfs", "overlay", "aufs", "squashfs", "fuse.snapfuse",
		"erofs", "cramfs", "iso9660", "cd9660", "fusectl", "fuse.portal", "fuse.lxcfs", "fuse.gvfsd-fuse":
		return m.point == "/"
	case "zfs":
		return true
	}
	return m.point == "/" || isRemote(m.fsType) || strings.HasPrefix(m.device, "/") || isDrive(m.device)
}

// isDrive is whether a device is a drive of Windows, such as C:.
func isDrive(device string) bool { return len(device) >= 2 && device[1] == ':' }

// isRemote is whether files may come over a network, or from a process of any
// kind (FUSE), so that a question about them may never be answered.
func isRemote(fsType string) bool {
	switch fsType {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "afpfs", "ceph", "glusterfs", "lustre", "ncpfs",
		"ocfs2", "gfs2", "beegfs", "gpfs", "webdav", "macfuse", "osxfuse", "vboxsf", "virtiofs":
		return true
	}
	return strings.HasPrefix(fsType, "fuse.")
}
