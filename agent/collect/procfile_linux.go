package collect

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// procFile is a file of /proc or /sys that is read again and again: it stays
// open and is read from its start into the same buffer, which spares the
// kernel the path walk and us the garbage.
type procFile struct {
	path string
	file *os.File
	buf  []byte
}

// read returns the file's whole text, valid until the next read. A file that
// is not there is unsupported; after any error the file is opened afresh.
func (p *procFile) read() ([]byte, error) {
	if p.file == nil {
		file, err := os.Open(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, unsupported("%w", err)
		}
		if err != nil {
			return nil, err
		}
		p.file = file
	}
	if p.buf == nil {
		p.buf = make([]byte, 4096)
	}
	n := 0
	for {
		if n == len(p.buf) {
			p.buf = append(p.buf, make([]byte, len(p.buf))...)
		}
		m, err := p.file.ReadAt(p.buf[n:], int64(n))
		n += m
		if err == io.EOF {
			return p.buf[:n], nil
		}
		if err != nil {
			p.close()
			return nil, err
		}
	}
}

func (p *procFile) close() {
	if p.file != nil {
		_ = p.file.Close() // only ever read from
		p.file = nil
	}
}
