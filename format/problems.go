package format

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"remuda"
)

// maxProblems is how many problems of a file are listed; a broken exporter
// repeats its fault in every record.
const maxProblems = 10

// problems collects what is wrong with one file.
type problems struct {
	action string // what failed: "read labels train.json"
	list   []string
	hint   string // of the first problem
	more   int
}

func (p *problems) add(hint, format string, args ...any) {
	if len(p.list) == 0 {
		p.hint = hint
	}
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

// err returns nil if nothing is wrong.
func (p *problems) err() error {
	switch {
	case len(p.list) == 0:
		return nil
	case len(p.list) == 1:
		return remuda.Errorf(remuda.Invalid, "%s: %s", p.action, p.list[0]).WithHint("%s", p.hint)
	}
	text := "\n  " + strings.Join(p.list, "\n  ")
	if p.more > 0 {
		text += fmt.Sprintf("\n  and %d more", p.more)
	}
	return remuda.Errorf(remuda.Invalid, "%s: %d problems:%s", p.action, len(p.list)+p.more, text).WithHint("%s", p.hint)
}

// cleanName returns a file name relative to the folder of images with forward
// slashes, or what is wrong with it: a label file from elsewhere must not make
// us open anything outside that folder.
func cleanName(name string) (clean, wrong string) {
	switch {
	case name == "":
		return "", "is empty"
	case strings.ContainsFunc(name, isControl):
		return "", "has a control character in it"
	case strings.Contains(name, `\`):
		return "", "has a backslash in it"
	case path.IsAbs(name) || len(name) > 1 && name[1] == ':':
		return "", "is an absolute path"
	}
	clean = path.Clean(name)
	if clean == "." || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", "leads outside the folder of images"
	}
	return clean, ""
}

// isControl holds for what no name needs and many formats can't hold: control
// characters and Unicode's noncharacters.
func isControl(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }

const nameHint = "file names are relative to the folder of images, with forward slashes"

// checkCategories adds what is wrong with a list of categories: names are what
// people and other files know them by. where names one by its index.
func checkCategories(p *problems, categories []remuda.Category, where func(i int) string) {
	ids, names := make(map[int64]int), make(map[string]int)
	for i, c := range categories {
		if j, ok := ids[c.ID]; ok {
			p.add("give each category an id of its own", "%s has the same id as %s", where(i), where(j))
		}
		ids[c.ID] = i
		switch key := strings.TrimSpace(c.Name); {
		case key == "":
			p.add("name every category", "%s has no name", where(i))
		case strings.ContainsFunc(c.Name, isControl):
			p.add("rename it", "%s has a control character in its name %q", where(i), c.Name)
		case strings.EqualFold(strings.Trim(key, "_"), "background"):
			p.add("remove it; images without boxes are background already", "%s is called %q, which is what is in no box", where(i), c.Name)
		default:
			if j, ok := names[key]; ok {
				p.add("give each category a name of its own", "%s has the same name %q as %s", where(i), c.Name, where(j))
			}
			names[key] = i
		}
	}
}
