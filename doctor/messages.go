package doctor

import (
	"context"
	"fmt"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
)

// messages looks at what may become of a message on its way: its compression, and
// how large it may be.
func (x *examination) messages(transports []*transport) {
	t, p, ok := x.working(transports)
	if !ok {
		return
	}
	x.compression(t, p)
	x.size(t, p)
}

// compression sends a compressed message and looks whether the answer is one.
func (x *examination) compression(t *transport, p protocol) {
	check := Check{Group: "messages", Name: "gzip", Protocol: p.name, Transport: t.name}
	var received string
	x.try(&check, t, func(ctx context.Context) error {
		ctx, info := connect.NewClientContext(ctx)
		text := strings.Repeat("vitals", 10_000)
		res, err := diagnostics(x.dial(t, p, connecthttp.WithSendGzip())).Uppercase(ctx, &diagnosticsv1.UppercaseRequest{Text: text})
		received = info.ResponseEncoding
		return known(err, res.GetResult() == strings.ToUpper(text), "the text came back changed")
	})
	if check.Outcome == Works && received != connect.CompressionNameGzip {
		check.Outcome = Warns
		check.Detail = "answers come uncompressed: a proxy on the way takes Accept-Encoding off the request, or unpacks them"
	}
	x.add(check)
}

// Sizes of messages: what every server and proxy should let pass, and further ones
// that tell where the limit is.
const neededSize = 1 << 20

var furtherSizes = []int{2 << 20, 4<<20 - 1024, 8 << 20}

// size finds out how large a message may be, to and fro.
func (x *examination) size(t *transport, p protocol) {
	check := Check{Group: "messages", Name: "size", Protocol: p.name, Transport: t.name}
	attempt := func(ctx context.Context, size int) error {
		res, err := diagnostics(x.dial(t, p)).Uppercase(ctx, &diagnosticsv1.UppercaseRequest{Text: strings.Repeat("a", size)})
		return known(err, len(res.GetResult()) == size, "%d bytes came back as %d", size, len(res.GetResult()))
	}
	x.try(&check, t, func(ctx context.Context) error { return attempt(ctx, neededSize) })
	if check.Outcome == Fails {
		check.Detail = fmt.Sprintf("a message of %s does not pass: %s", bytesText(neededSize), check.Detail)
		x.add(check)
		return
	}
	passed := neededSize
	for _, size := range furtherSizes {
		ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
		err := attempt(ctx, size)
		cancel()
		if err != nil {
			check.Detail = fmt.Sprintf("%s passes, %s does not: %s", bytesText(passed), bytesText(size), explain(err, t, x))
			break
		}
		passed = size
		check.Detail = bytesText(passed) + " passes"
	}
	x.add(check)
}

func bytesText(n int) string { return fmt.Sprintf("%.3g MiB", float64(n)/(1<<20)) }
