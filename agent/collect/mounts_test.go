package collect

import (
	"fmt"
	"strings"
	"testing"
)

func TestChooseMounts(t *testing.T) {
	// A listing is lines of point, device, type and perhaps "part".
	f := func(listing, want string) {
		t.Helper()
		var all []mounted
		for line := range strings.Lines(listing) {
			if w := strings.Fields(line); len(w) >= 3 {
				all = append(all, mounted{point: w[0], device: w[1], fsType: w[2], part: len(w) > 3})
			}
		}
		var got []string
		for _, m := range chooseMounts(all, func(path string) bool { return !strings.Contains(path, "file") }) {
			text := m.point + "=" + m.device
			if m.remote {
				text += "(remote)"
			}
			got = append(got, text)
		}
		if fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("of%s chosen %v, want [%s]", listing, got, want)
		}
	}
	f(`
		/proc proc proc
		/sys sysfs sysfs
		/ /dev/vda1 ext4
		/run tmpfs tmpfs
		/boot/efi /dev/vda15 vfat
		/snap/core/1 /dev/loop0 squashfs
		/media/cd /dev/sr0 iso9660
		/net /etc/auto.net autofs`,
		"/=/dev/vda1 /boot/efi=/dev/vda15")
	f(`
		/srv/data /dev/sdb1 xfs
		/ /dev/sda1 ext4
		/data /dev/sdb1 xfs
		/jail/data /dev/sdb1 xfs part`,
		"/=/dev/sda1 /data=/dev/sdb1") // once a device, the shortest
	f(`
		/a /dev/sdb1 btrfs part
		/long/path /dev/sdb1 btrfs`,
		"/long/path=/dev/sdb1") // the whole before a part
	f(`
		/ overlay overlay
		/etc/file-hosts /dev/sda1 ext4 part
		/data /dev/sda1 ext4 part
		/var/lib/docker/overlay2/x/merged overlay overlay`,
		"/=overlay /data=/dev/sda1") // in a container
	f(`
		/ /dev/sda1 ext4
		/mnt /dev/sdb1 ext4
		/mnt fs:/export nfs4
		/home me@host:/ fuse.sshfs
		/doc portal fuse.portal`,
		"/=/dev/sda1 /home=me@host:/(remote) /mnt=fs:/export(remote)") // a hidden mount
	f(`
		/ rpool/ROOT zfs
		/home rpool/home zfs
		/ntfs /dev/sdc1 fuseblk`,
		"/=rpool/ROOT /home=rpool/home /ntfs=/dev/sdc1")
	f(`
		C: C: NTFS
		D: D: NTFS`,
		"C:=C: D:=D:")
	f("", "")
}
