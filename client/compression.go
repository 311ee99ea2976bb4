package client

import (
	"net"
	"net/netip"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client/balance"
	"github.com/vitals-rpc/vitals/compress"
)

// compressors are those of which the server at a may choose for its answers. A
// server on this machine gets none to choose: packing an answer of a hundred series
// and unpacking it takes longer than all the rest of the call, and saves bytes that
// travel nowhere.
func (o *options) compressors(a balance.Address) []connect.Compressor {
	if o.plain || isHere(a) && !o.gzip {
		return nil
	}
	return []connect.Compressor{&compress.Gzip{}}
}

// isHere says whether a server is on this machine, as far as its address tells.
func isHere(a balance.Address) bool {
	if a.Socket != "" {
		return true
	}
	host := a.URL.Hostname()
	if a.Dial != "" {
		host, _, _ = net.SplitHostPort(a.Dial) // what cannot be split cannot be dialled either
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
