package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"remuda"
)

// printJSON prints a value as indented JSON.
func (m *Main) printJSON(value any) error {
	encoder := json.NewEncoder(m.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// plainWriter keeps control characters from a terminal, but for line ends and
// tabs: what other people named must not steer it.
type plainWriter struct{ io.Writer }

// forTerminal returns w, made plain if it is a terminal.
func forTerminal(w io.Writer) io.Writer {
	if terminalWidth(w) == 0 {
		return w
	}
	return plainWriter{w}
}

// Write writes p with a question mark for each control character.
func (w plainWriter) Write(p []byte) (int, error) {
	plain := bytes.Clone(p)
	for i, b := range plain {
		if b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			plain[i] = '?'
		}
	}
	return w.Writer.Write(plain)
}

// terminalWidth returns the columns of a terminal, 0 for anything else.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	if size.columns == 0 {
		return 80
	}
	return int(size.columns)
}

// bar is one line that shows how far something is: redrawn in place on a
// terminal, otherwise printed now and then.
type bar struct {
	w     io.Writer
	width int           // of the terminal; 0 without one
	every time.Duration // least time between two lines
	last  time.Time
	drawn bool // a line of the terminal has to be cleared
}

// newBar shows progress on standard error.
func (m *Main) newBar() *bar {
	b := &bar{w: m.Stderr, width: terminalWidth(m.Stderr), every: 100 * time.Millisecond}
	if b.width == 0 {
		b.every = 10 * time.Second
		b.last = time.Now() // what is done within the interval needs no line
	}
	return b
}

// update shows how much is done, of 1, with the words around it; what does not
// fit the terminal is cut off. It may be called as often as one likes.
func (b *bar) update(done float64, before, after string) {
	now := time.Now()
	if now.Sub(b.last) < b.every && done < 1 {
		return
	}
	b.last = now
	if b.width == 0 {
		if done < 1 {
			fmt.Fprintf(b.w, "%s %3.0f %%  %s\n", before, 100*done, after)
		}
		return
	}
	const cells = 20
	full := min(max(int(done*cells), 0), cells)
	line := before + " [" + strings.Repeat("█", full) + strings.Repeat("·", cells-full) + "] " + after
	if runes := []rune(line); len(runes) > b.width-1 {
		line = string(runes[:b.width-1])
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
	b.drawn = true
}

// clear makes room for other lines.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = false
	}
}

// byteCount writes a number of bytes for people.
func byteCount(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.0f kB", float64(n)/(1<<10))
}

// count writes a number of things: 1 step, 2 steps.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// duration writes a time span for people: 2h05m, 3m20s, 12s.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

// several turns problems of one kind into one error that names them all.
func several(what string, problems []error) error {
	const shown = 50
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return remuda.Errorf(remuda.CodeOf(problems[0]), "%w", problems[0]).WithHint("%s", commonHint(problems))
	}
	lines := make([]string, 0, len(problems))
	for i, problem := range problems {
		if i == shown {
			lines = append(lines, fmt.Sprintf("and %d more", len(problems)-shown))
			break
		}
		lines = append(lines, problem.Error())
	}
	return remuda.Errorf(remuda.Invalid, "%d %s:\n  %s", len(problems), what, strings.Join(lines, "\n  ")).
		WithHint("%s", commonHint(problems))
}

// commonHint returns the hint that all problems share, and a general one where
// they need different things.
func commonHint(problems []error) string {
	hint := remuda.HintOf(problems[0])
	for _, problem := range problems {
		if hint == "" || remuda.HintOf(problem) != hint {
			return "check that --images is the right folder; repair these files, or remove them from the labels"
		}
	}
	return hint
}

// invalid gives an error without a code that of bad input.
func invalid(err error) error {
	if _, coded := errors.AsType[*remuda.Error](err); coded {
		return err
	}
	return remuda.Errorf(remuda.Invalid, "%w", err)
}
