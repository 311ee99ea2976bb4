package procfs

import "errors"

// sector is the unit of /proc/diskstats, whatever the disk's own sectors are.
const sector = 512

// Disk is what a block device did since the start.
type Disk struct {
	// Name lies within the text that was parsed.
	Name                                 []byte
	Reads, ReadBytes, Writes, WriteBytes uint64
	// BusyMillis is the time with at least one request in hand.
	BusyMillis uint64
}

// ParseDiskstats appends the devices of /proc/diskstats to disks, partitions
// among them.
func ParseDiskstats(text []byte, disks []Disk) ([]Disk, error) {
	for len(text) > 0 {
		var line, name []byte
		line, text = cutLine(text)
		_, rest := cutField(line) // major number
		_, rest = cutField(rest)  // minor number
		name, rest = cutField(rest)
		var n [10]uint64
		count := uints(rest, n[:])
		if count == 4 {
			continue // a partition as Linux before 2.6.25 showed it
		}
		if len(name) == 0 || count < len(n) {
			return disks, errors.New("/proc/diskstats: a line without its numbers: " + string(line))
		}
		disks = append(disks, Disk{
			Name:  name,
			Reads: n[0], ReadBytes: n[2] * sector,
			Writes: n[4], WriteBytes: n[6] * sector,
			BusyMillis: n[9],
		})
	}
	return disks, nil
}
