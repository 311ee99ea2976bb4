package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"
)

const day = 24 * time.Hour

// duration is a flag that takes days, weeks and years too: 90m, 15d, 1y.
type duration time.Duration

// durationFlag makes a duration flag that sets target, with a default.
func durationFlag(target *time.Duration, value time.Duration) pflag.Value {
	*target = value
	return (*duration)(target)
}

func (d *duration) Set(text string) error {
	v, err := model.ParseDuration(text)
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is no duration such as 90m, 36h, 15d, 8w or 1y", text)
	}
	*d = duration(v)
	return nil
}

func (d *duration) String() string { return model.Duration(*d).String() }

func (d *duration) Type() string { return "duration" }

// mode is a flag for the mode of a file, in octal: 0660.
type mode fs.FileMode

// modeFlag makes a mode flag that sets target, with a default.
func modeFlag(target *fs.FileMode, value fs.FileMode) pflag.Value {
	*target = value
	return (*mode)(target)
}

func (m *mode) Set(text string) error {
	v, err := strconv.ParseUint(text, 8, 32)
	if err != nil || v == 0 || v > uint64(fs.ModePerm) {
		return fmt.Errorf("%q is no mode in octal such as 0600 or 0660", text)
	}
	*m = mode(v)
	return nil
}

func (m *mode) String() string { return fmt.Sprintf("%04o", uint32(*m)) }

func (m *mode) Type() string { return "mode" }

// size is a flag in bytes that takes units: 500MB, 10GB, 1TiB.
type size int64

// sizeFlag makes a size flag that sets target, with a default; 0 for none.
func sizeFlag(target *int64, value int64) pflag.Value {
	*target = value
	return (*size)(target)
}

// sizeUnits are the units, a longer one before one that it ends with.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

func (s *size) Set(text string) error {
	number, unit := text, 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(strings.ToUpper(text), strings.ToUpper(u.name)); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || v < 0 || v*unit > 1<<62 {
		return fmt.Errorf("%q is no size such as 500MB, 10GB or 1TiB", text)
	}
	*s = size(v * unit)
	return nil
}

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	for _, u := range slices.Backward(sizeUnits) {
		if v := float64(*s) / u.bytes; v >= 1 && v < 1024 && v == math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *size) Type() string { return "size" }

// defaultDataDir is where the system keeps a user's data.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "vitals")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "vitals")
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "vitals")
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "vitals")
		}
		return filepath.Join(home, "AppData", "Local", "vitals")
	}
	return filepath.Join(home, ".local", "share", "vitals")
}
