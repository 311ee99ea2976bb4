package procfs

import (
	"bytes"
	"errors"
)

// Interface is what went through a network interface since it was made.
type Interface struct {
	// Name lies within the text that was parsed.
	Name []byte

	ReceiveBytes, ReceivePackets, ReceiveErrors    uint64
	TransmitBytes, TransmitPackets, TransmitErrors uint64
}

// ParseNetDev appends the interfaces of /proc/net/dev to interfaces.
func ParseNetDev(text []byte, interfaces []Interface) ([]Interface, error) {
	_, text = cutLine(text) // two lines of headings
	_, text = cutLine(text)
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		// The last colon: an alias such as eth0:1 has one in its name.
		colon := bytes.LastIndexByte(line, ':')
		var n [11]uint64
		if colon < 0 || uints(line[colon+1:], n[:]) < len(n) {
			return interfaces, errors.New("/proc/net/dev: a line without its numbers: " + string(line))
		}
		name, _ := cutField(line[:colon])
		if len(name) == 0 {
			return interfaces, errors.New("/proc/net/dev: an interface without a name: " + string(line))
		}
		interfaces = append(interfaces, Interface{
			Name:         name,
			ReceiveBytes: n[0], ReceivePackets: n[1], ReceiveErrors: n[2],
			TransmitBytes: n[8], TransmitPackets: n[9], TransmitErrors: n[10],
		})
	}
	return interfaces, nil
}
