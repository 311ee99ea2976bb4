package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/vitals-rpc/vitals/metric"
)

// Labels are a series' labels as remote write has them.
func Labels(s *metric.Series) []prompb.Label {
	// Sorted by name: __name__ is before all others, hostname in its place.
	labels := []prompb.Label{{Name: metric.TypeLabel, Value: s.Type}}
	host := prompb.Label{Name: metric.HostLabel, Value: s.Host}
	placed := false
	for _, l := range s.Labels {
		if !placed && l.Name > metric.HostLabel {
			labels, placed = append(labels, host), true
		}
		labels = append(labels, prompb.Label{Name: l.Name, Value: l.Value})
	}
	if !placed {
		labels = append(labels, host)
	}
	return labels
}

// Encode makes the body of a remote write: protobuf, in snappy.
func Encode(series []prompb.TimeSeries) ([]byte, error) {
	body, err := (&prompb.WriteRequest{Timeseries: series}).Marshal()
	if err != nil {
		return nil, err
	}
	return snappy.Encode(nil, body), nil
}

// Write sends a body.
func Write(ctx context.Context, c *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s: %s: %s", url, res.Status, text)
	}
	return nil
}
