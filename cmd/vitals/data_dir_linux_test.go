package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is wrong with a data folder is said with what to do, by the server and by the
// commands that work on its folder.
func TestDataDir(t *testing.T) {
	f := func(dir, want string) {
		t.Helper()
		vitals(t, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0").want(t, 1, "", want)
		vitals(t, "user", "list", "--data-dir", dir).want(t, 1, "", want)
		vitals(t, "token", "list", "--data-dir", dir).want(t, 1, "", want)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(file, "is a file; choose another path")
	f(filepath.Join(file, "data"), "a folder above it is a file; choose another path")
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("NOT TESTED: a full disk, one without rights. Mounting a tmpfs was refused (%v); run as root where mounts are allowed", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	f(filepath.Join(disk, "data"), "make room")
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	f(disk, "mounted read-only; mount it read-write or choose another folder")
}

// A second server on a folder is told so before it changes anything there.
func TestDataDirInUse(t *testing.T) {
	dir := t.TempDir()
	serving(t, "--hostname", "server01", "--data-dir", dir, "--listen", "127.0.0.1:0")
	vitals(t, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--first-admin", "root").want(t, 1, "", "is in use by process")
	users := vitals(t, "user", "list", "--data-dir", dir)
	users.want(t, 0, "", "in "+dir)
	if strings.Contains(users.stdout, "root") {
		t.Errorf("it has made a user: %s", users.stdout)
	}
}
