// Command testsum reads what go test -json prints, shows a line a package and
// everything a failing test said, and counts.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	counts := flag.String("counts", "", "file that gets: passed failed skipped")
	flag.Parse()
	s, err := summarize(os.Stdin, os.Stdout)
	if err == nil && *counts != "" {
		err = os.WriteFile(*counts, fmt.Appendf(nil, "%d %d %d\n", s.passed, s.failed, s.skipped), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

// event is one line of go test -json, as "go doc test2json" describes it.
type event struct {
	Action, Package, Test, Output string
}

type summary struct{ passed, failed, skipped int }

// summarize counts tests and subtests; a package that fails without a failing
// test of its own (it does not compile, panics, or times out) counts as one failure.
func summarize(r io.Reader, w io.Writer) (summary, error) {
	var sum summary
	said := make(map[string]*strings.Builder) // of tests that have not ended
	failing := make(map[string]bool)          // packages with a failing test
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, fmt.Errorf("read test events: %w", err)
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Fprint(w, line) // not an event: words of the go command itself
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			if e.Test != "" {
				if said[key] == nil {
					said[key] = new(strings.Builder)
				}
				said[key].WriteString(e.Output)
			} else if e.Output != "PASS\n" && !strings.HasSuffix(e.Output, "[no test files]\n") {
				fmt.Fprint(w, e.Output)
			}
		case "build-output":
			fmt.Fprint(w, e.Output)
		case "pass":
			if e.Test != "" {
				sum.passed++
			}
			delete(said, key)
		case "skip":
			if e.Test != "" {
				sum.skipped++
				fmt.Fprint(w, said[key])
			}
			delete(said, key)
		case "fail":
			if e.Test != "" || !failing[e.Package] {
				sum.failed++
				failing[e.Package] = true
			}
			for other := range said { // when a process dies, some tests never end
				if other == key || e.Test == "" && strings.HasPrefix(other, e.Package+" ") {
					fmt.Fprint(w, said[other])
					delete(said, other)
				}
			}
		}
	}
}
