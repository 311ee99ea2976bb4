package certificate

import (
	"os"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/pin"
)

// file is what a look at a file saw of it.
type file struct {
	path    string
	size    int64
	changed time.Time
	id      os.FileInfo // tells a file from one that took its place within a clock's tick
}

// look looks at the files that are named.
func look(paths ...string) []file {
	var files []file
	for _, path := range paths {
		if path == "" {
			continue
		}
		f := file{path: path}
		if info, err := os.Stat(path); err == nil { // a missing file is one that has changed
			f.size, f.changed, f.id = info.Size(), info.ModTime(), info
		}
		files = append(files, f)
	}
	return files
}

func same(a, b file) bool {
	if a.id == nil || b.id == nil {
		return a.id == nil && b.id == nil
	}
	return a.size == b.size && a.changed.Equal(b.changed) && os.SameFile(a.id, b.id)
}

// reload reads the files again where one of them has changed. It tries at every
// look until what is there is good, and complains only of what has stayed the
// same from one look to the next: files are seldom replaced all at once.
func (k *Keeper) reload() {
	seen := look(k.opts.CertFile, k.opts.KeyFile, k.opts.ClientCAFile)
	if slices.EqualFunc(seen, k.watched, same) {
		if k.complaint == nil {
			return
		}
		k.opts.Logger.Error("the new TLS files are not used; the ones before stay in use until they are replaced", "error", k.complaint)
		k.complaint = nil
		return
	}
	k.watched = seen
	m, err := k.read()
	if err != nil {
		k.complaint = err
		return
	}
	k.complaint = nil
	k.current.Store(m)
	k.opts.Logger.Info("TLS files read again", "certificate", k.opts.CertFile, "subject", m.certificate.Leaf.Subject.String(),
		"expires", m.certificate.Leaf.NotAfter, "fingerprint", pin.Of(m.certificate.Leaf).String())
	k.warnOfExpiry(m)
}
