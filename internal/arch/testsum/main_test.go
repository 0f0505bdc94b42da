package main

import (
	"strings"
	"testing"
)

// Ensure the count is what the events say, and that nothing a failing test or
// a dying process said is lost.
func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []string
		want   summary
		shown  []string
		hidden []string
	}{
		{
			name: "passes are counted and quiet",
			events: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: summary{passed: 2}, shown: []string{"ok  \tp\t0.1s\n"}, hidden: []string{"chatter", "PASS"},
		},
		{
			name: "a failing test speaks and counts once",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"got 1, want 2\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: summary{failed: 1}, shown: []string{"got 1, want 2"},
		},
		{
			name: "a package that does not compile fails",
			events: []string{
				`{"Action":"build-output","ImportPath":"p","Output":"a.go:1: undefined: x\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: summary{failed: 1}, shown: []string{"undefined: x", "build failed"},
		},
		{
			name: "a process that dies tells its last words",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"SIGSEGV\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: summary{failed: 1}, shown: []string{"SIGSEGV"},
		},
		{
			name: "a skip is counted and says why",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"no engine\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
				`{"Action":"skip","Package":"q"}`,
			},
			want: summary{skipped: 1}, shown: []string{"no engine"},
		},
		{
			name:   "words of the go command pass through",
			events: []string{`go: cannot find main module`},
			shown:  []string{"cannot find main module"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			got, err := summarize(strings.NewReader(strings.Join(c.events, "\n")+"\n"), &out)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			for _, s := range c.shown {
				if !strings.Contains(out.String(), s) {
					t.Errorf("%q is not in %q", s, out.String())
				}
			}
			for _, s := range c.hidden {
				if strings.Contains(out.String(), s) {
					t.Errorf("%q is in %q", s, out.String())
				}
			}
		})
	}
}
