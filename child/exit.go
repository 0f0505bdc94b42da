package child

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ExitError says how a child died.
type ExitError struct {
	Status      int            // its exit status; -1 when a signal ended it
	Signal      syscall.Signal // what ended it; 0 when it ended by itself
	OutOfMemory bool           // the kernel said that it killed for lack of memory
	Kernel      string         // the kernel's words about it, where they can be read
	LastWords   string         // the last 8 KiB of its standard error
}

// Error is one sentence with the most telling of the last words.
func (e *ExitError) Error() string {
	var how string
	switch {
	case e.OutOfMemory:
		how = "was killed because memory ran out"
	case e.Signal == syscall.SIGKILL:
		how = "was killed (out of memory?)"
	case e.Signal != 0:
		how = fmt.Sprintf("crashed (signal %d, %v)", int(e.Signal), e.Signal)
	default:
		how = fmt.Sprintf("ended with status %d", e.Status)
	}
	said := telling(e.LastWords)
	if said == "" {
		said = e.Kernel
	}
	if said == "" {
		return "the child process " + how + " without a word"
	}
	return fmt.Sprintf("the child process %s; its last words: %s", how, said)
}

// telling picks the line that says most: where a runtime announces the end of
// the program, else the last one.
func telling(words string) string {
	const longest = 400
	var last string
	for line := range strings.Lines(words) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		last = line
		if startsWithAny(line, "panic:", "fatal error:", "what():", "runtime: out of memory") {
			break
		}
	}
	if len(last) > longest {
		last = strings.ToValidUTF8(last[:longest], "") + " …"
	}
	return last
}

func startsWithAny(line string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// mentionsMemory recognizes the words of Go's runtime, the C++ library and
// libtorch when an allocation fails.
func mentionsMemory(words string) bool {
	lower := strings.ToLower(words)
	for _, phrase := range []string{"out of memory", "std::bad_alloc", "can't allocate memory", "cannot allocate memory", "not enough memory"} {
		if strings.Contains(lower, phrase) {
			return true
		}
	}
	return false
}

// oomKills counts the processes that the kernel has killed for memory in this
// process's control group, or the nearest around it that counts; 0 where that
// cannot be read.
func oomKills() int64 {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(groups)) {
		_, group, _ := strings.Cut(strings.TrimSpace(line), ":")
		root, file := "/sys/fs/cgroup", "memory.events" // version 2
		if path, ok := strings.CutPrefix(group, "memory:"); ok {
			root, file, group = "/sys/fs/cgroup/memory", "memory.oom_control", path // version 1
		} else if group, ok = strings.CutPrefix(group, ":"); !ok {
			continue
		}
		for dir := filepath.Join(root, group); strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
			if events, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				return fieldOf(events, "oom_kill")
			}
		}
	}
	return 0
}

// fieldOf reads the number after a name in lines of "name number".
func fieldOf(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if n, err := strconv.ParseInt(value, 10, 64); key == name && err == nil {
			return n
		}
	}
	return 0
}

// kernelWords looks for the kernel's own report of having killed a process for
// memory; "" where there is none or it may not be read.
func kernelWords(pid int) string {
	// Each read of the log is one record and at its end fails with EAGAIN, for
	// which a file of package os would wait; hence the plain calls.
	log, err := syscall.Open("/dev/kmsg", syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(log)
	wanted := fmt.Sprintf("Killed process %d ", pid)
	var found string
	record := make([]byte, 8192)
	for {
		n, err := syscall.Read(log, record)
		if err == syscall.EPIPE { // records were overwritten while reading
			continue
		}
		if err != nil || n <= 0 {
			return found
		}
		line, _, _ := strings.Cut(string(record[:n]), "\n")
		if _, message, ok := strings.Cut(line, ";"); ok && strings.Contains(message, wanted) {
			found = strings.TrimSpace(message)
		}
	}
}
