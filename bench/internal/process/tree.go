package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// TreeCPU is CPU of the process and of all that it has started and that runs still.
func (p *Process) TreeCPU() (sum time.Duration) {
	for _, pid := range p.tree() {
		sum += cpuOf(pid)
	}
	return sum
}

// TreeMemory is Memory of the same. What they share is counted for each.
func (p *Process) TreeMemory() (resident, own int64) {
	for _, pid := range p.tree() {
		r, o := memoryOf(pid)
		resident, own = resident+r, own+o
	}
	return resident, own
}

// tree is the process and its descendants.
func (p *Process) tree() []int {
	children := map[int][]int{}
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder)) // only digits
		if parent, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{p.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// parentOf reads a process's parent; ok is false when it has ended.
func parentOf(pid int) (parent int, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	// The name, in parentheses, may hold anything; then come the state and the parent.
	rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(rest) < 2 {
		return 0, false
	}
	parent, err = strconv.Atoi(rest[1])
	return parent, err == nil
}
