package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v4/host"

	"github.com/vitals-rpc/vitals/durable"
)

// Files in the folder of an agent or a server.
const (
	hostIDName = "host-id"
	// machineName has which machine the id was made on, or first kept on.
	machineName = "host-machine"
)

// hostID is the id in the folder, made on the first run. It tells two machines under
// one name apart, also those that were cloned with the folder: on another machine
// than before it is made anew, which moved says. machine is what [machineID] returns.
func hostID(dir, machine string) (id string, moved bool, err error) {
	id, err = readID(filepath.Join(dir, hostIDName))
	if err != nil {
		return "", false, err
	}
	before, err := readID(filepath.Join(dir, machineName))
	if err != nil {
		return "", false, err
	}
	moved = id != "" && before != "" && machine != "" && before != machine
	if id == "" || moved {
		id = rand.Text()
		if err := writeID(filepath.Join(dir, hostIDName), id); err != nil {
			return "", false, err
		}
	}
	if machine != "" && machine != before {
		err = writeID(filepath.Join(dir, machineName), machine)
	}
	return id, moved, err
}

// readID returns "" where there is no file.
func readID(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the host's id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// writeID outlives a crash, for the token that the host enrols with is bound to its
// id.
func writeID(path, line string) error {
	if err := durable.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		return fmt.Errorf("keeping the host's id: %w", err)
	}
	return nil
}

// machineSalt is this program's own, so that what it derives of a machine's id says
// nothing to others.
const machineSalt = "\x5b\x0e\x9d\x27\xc4\x61\x4f\x8a\x93\x1c\x70\xde\x2f\xb6\x05\xe8"

// machineID tells this machine from others: a hash of its id, made as
// sd_id128_get_machine_app_specific makes it, for the id itself is nobody else's. It
// is "" where there is none that lasts.
func machineID(ctx context.Context) string {
	id := lastingID(ctx)
	if id == "" {
		return ""
	}
	key, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil {
		key = []byte(id)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(machineSalt))
	sum := mac.Sum(nil)[:16]
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80 // a UUID of version 4
	return hex.EncodeToString(sum)
}

// lastingID is the id that the system gives the machine, if it outlives a restart.
func lastingID(ctx context.Context) string {
	if runtime.GOOS != "linux" {
		id, err := host.HostIDWithContext(ctx)
		if err != nil {
			return ""
		}
		return id
	}
	// See machine-id(5): this one is there while the id is for this boot alone.
	if _, err := os.Stat("/run/machine-id"); err == nil {
		return ""
	}
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		data, err := os.ReadFile(path) //nolint:gosec // one of two
		if id := strings.TrimSpace(string(data)); err == nil && len(id) == 32 {
			return id
		}
	}
	return ""
}
