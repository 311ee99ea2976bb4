package compress_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/vitals-rpc/vitals/compress"
)

// TestGzip packs for the standard library and unpacks what it has packed, many
// times at once over one pool.
func TestGzip(t *testing.T) {
	var c compress.Gzip
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				text := strings.Repeat("vital signs ", i*1000+n)
				if got := unpackStandard(t, pack(t, &c, text)); got != text {
					t.Errorf("%d bytes became %d", len(text), len(got))
				}
				if got := unpack(t, &c, packStandard(t, text)); got != text {
					t.Errorf("%d bytes became %d", len(text), len(got))
				}
			}
		})
	}
	all.Wait()
}

func TestGzipErrors(t *testing.T) {
	var c compress.Gzip
	if _, err := c.Decompress(strings.NewReader("no gzip")); err == nil {
		t.Error("what is no gzip was taken")
	}
	packed := packStandard(t, strings.Repeat("x", 1000))
	r, err := c.Decompress(bytes.NewReader(packed[:len(packed)-4]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("what was cut off was taken for whole")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("a closed reader reads")
	}
	w, err := c.Compress(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a closed writer writes")
	}
}

// TestGzipSizes packs messages around the length at which the way of packing
// changes, whole and in pieces.
func TestGzipSizes(t *testing.T) {
	var c compress.Gzip
	f := func(length, piece int) {
		t.Helper()
		text := strings.Repeat("0123456789abcdef, vital signs; ", length/31+1)[:length]
		var b bytes.Buffer
		w, err := c.Compress(&b)
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			if _, err := io.WriteString(w, rest[:min(piece, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if length > 1000 && piece > 1000 && b.Len() > length/4 {
			t.Errorf("%d bytes packed take %d", length, b.Len())
		}
		if got := unpackStandard(t, b.Bytes()); got != text {
			t.Errorf("%d bytes in pieces of %d became %d", length, piece, len(got))
		}
	}
	for _, length := range []int{0, 1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 200_000} {
		f(length, length)
		f(length, 1<<10)
		f(length, 40<<10)
	}
}

func pack(t *testing.T, c *compress.Gzip, text string) []byte {
	var b bytes.Buffer
	w, err := c.Compress(&b)
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, w, &b, text)
}

func packStandard(t *testing.T, text string) []byte {
	var b bytes.Buffer
	return finish(t, gzip.NewWriter(&b), &b, text)
}

func finish(t *testing.T, w io.WriteCloser, b *bytes.Buffer, text string) []byte {
	if _, err := io.WriteString(w, text); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func unpack(t *testing.T, c *compress.Gzip, packed []byte) string {
	r, err := c.Decompress(bytes.NewReader(packed))
	if err != nil {
		t.Error(err)
		return ""
	}
	return drain(t, r)
}

func unpackStandard(t *testing.T, packed []byte) string {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Error(err)
		return ""
	}
	return drain(t, r)
}

func drain(t *testing.T, r io.ReadCloser) string {
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return string(text)
}
