package child

import (
	"strings"
	"syscall"
	"testing"
)

func TestSentencesAboutADeadChild(t *testing.T) {
	cases := []struct {
		end  ExitError
		want string
	}{
		{ExitError{Signal: syscall.SIGKILL, OutOfMemory: true, Kernel: "Out of memory: Killed process 7 (remuda)"},
			"the child process was killed because memory ran out; its last words: Out of memory: Killed process 7 (remuda)"},
		{ExitError{Signal: syscall.SIGKILL}, "the child process was killed (out of memory?) without a word"},
		{ExitError{Signal: syscall.SIGSEGV, LastWords: "loading\nabout to read layer 3\n\n"},
			"the child process crashed (signal 11, segmentation fault); its last words: about to read layer 3"},
		{ExitError{Status: 134, LastWords: "terminate called\n  what():  no such tensor\nAborted\n"},
			"the child process ended with status 134; its last words: what():  no such tensor"},
		{ExitError{Status: 2, LastWords: "panic: gone\n\ngoroutine 1 [running]:\nmain.main()\n"},
			"the child process ended with status 2; its last words: panic: gone"},
	}
	for _, c := range cases {
		if got := c.end.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	long := ExitError{Status: 1, LastWords: strings.Repeat("ü", 5000)}
	if got := long.Error(); len(got) > 600 || !strings.HasSuffix(got, " …") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-8:])
	}
}

func TestLastWordsAreTheLastOnes(t *testing.T) {
	words := &tail{limit: 10}
	for _, p := range []string{"abc", "defghijkl", "", "m", strings.Repeat("z", 30) + "0123456789"[:4]} {
		if n, err := words.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("wrote %d of %d bytes, %v", n, len(p), err)
		}
	}
	if got := words.String(); got != "zzzzzz0123" {
		t.Errorf("got %q", got)
	}
	words.Write([]byte("456"))
	if got := words.String(); got != "zzz0123456" {
		t.Errorf("got %q", got)
	}
}

func TestKillsAreCountedInTheKernelsForm(t *testing.T) {
	text := []byte("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
	if got := fieldOf(text, "oom_kill"); got != 2 {
		t.Errorf("got %d kills", got)
	}
	if got := fieldOf(text, "max"); got != 0 {
		t.Errorf("got %d for a field that is not there", got)
	}
}
