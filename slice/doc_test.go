package slice_test

import (
	"os"
	"strings"
	"testing"
)

// TestTheManualIsTheDocumentation holds docs/filters.md to doc.go, from the language to its limits.
func TestTheManualIsTheDocumentation(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(source), "// # The language\n")
	text, _, _ = strings.Cut(text, "package slice")
	var want strings.Builder
	for line := range strings.Lines("// # The language\n" + text) {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "//"), " ")
		if heading, is := strings.CutPrefix(line, "# "); is {
			line = "## " + heading
		}
		if code, is := strings.CutPrefix(line, "\t"); is {
			line = "    " + code
		}
		want.WriteString(line)
	}
	if !strings.HasSuffix(string(manual), want.String()) {
		t.Error("docs/filters.md differs from doc.go: write the text of doc.go, from \"The language\" on, into it")
	}
}
