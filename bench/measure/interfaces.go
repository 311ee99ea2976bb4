package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// insideVariable says that this process has network interfaces of its own
// already.
const insideVariable = "VITALS_BENCH_INSIDE"

// withInterfaces runs this very command again in a network namespace of its own,
// which has so many interfaces with a little traffic, so that the agent and its
// peer have more to measure than this machine gives. It returns inside when the
// process is that one; otherwise the run is over. It needs root.
func withInterfaces(ctx context.Context, n int) (inside bool, err error) {
	if os.Getenv(insideVariable) == "" {
		cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...) //nolint:gosec // this program
		cmd.Env = append(os.Environ(), insideVariable+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 30 * time.Second
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		err := cmd.Run()
		if errors.Is(err, syscall.EPERM) {
			err = fmt.Errorf("a network namespace of its own needs root: %w", err)
		}
		return false, err
	}
	names, err := makeInterfaces(ctx, n)
	if err != nil {
		return true, err
	}
	go traffic(ctx, names)
	return true, nil
}

// makeInterfaces makes pairs of interfaces that are connected to each other.
func makeInterfaces(ctx context.Context, n int) (names []string, err error) {
	commands := []string{"link set lo up"}
	for i := 0; i < n; i += 2 {
		a, b := fmt.Sprintf("net%d", i), fmt.Sprintf("net%d", i+1)
		commands = append(commands, "link add "+a+" type veth peer name "+b, "link set "+a+" up", "link set "+b+" up")
		names = append(names, a, b)
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(c)...).CombinedOutput(); err != nil { //nolint:gosec // our own arguments
			return nil, fmt.Errorf("ip %s: %w: %s", c, err, out)
		}
	}
	return names, nil
}

// traffic sends a few packets a second over each interface, to nobody.
func traffic(ctx context.Context, names []string) {
	for ctx.Err() == nil {
		for i, name := range names {
			// An address is there a second or two after the interface.
			conn, err := net.DialUDP("udp6", nil, &net.UDPAddr{IP: net.ParseIP("ff02::1"), Port: 9, Zone: name})
			if err != nil {
				continue
			}
			for range 1 + i%5 {
				_, _ = conn.Write(make([]byte, 100+10*i)) // what is lost is no harm
			}
			_ = conn.Close()
		}
		_ = sleep(ctx, 300*time.Millisecond) // ends early with ctx
	}
}
