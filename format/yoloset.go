package format

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"remuda"
)

// yoloSet is what a YOLO folder says of itself.
type yoloSet struct {
	root      string   // what its paths are relative to
	images    string   // the folder that item files are relative to
	names     []string // by class
	namesFile string   // a list of names, "" if there is none
	splits    []string // entries of data.yaml to read; none means the whole folder of images
	named     int      // entries of data.yaml in all
}

// dataYAML is a YOLO data.yaml. Names are a list, or a map from class to name;
// a split is one path, or several.
type dataYAML struct {
	Path  string    `yaml:"path"`
	Train yaml.Node `yaml:"train"`
	Val   yaml.Node `yaml:"val"`
	Test  yaml.Node `yaml:"test"`
	NC    *int      `yaml:"nc"`
	Names yaml.Node `yaml:"names"`
}

// openYOLO finds the names and the images of a YOLO folder or data.yaml.
func openYOLO(label string, o Options) (set yoloSet, err error) {
	folder, file := label, ""
	if !isFolder(label) {
		folder, file = filepath.Dir(label), label
	} else if file, err = findYAML(label); err != nil {
		file = ""
	}
	set.root, set.namesFile = folder, findNames(folder)
	if file != "" {
		err = set.fromYAML(file, o)
	} else {
		err = set.fromNames(folder)
	}
	if err != nil {
		return yoloSet{}, err
	}
	if set.named > 0 && len(set.splits) == 0 {
		return yoloSet{}, remuda.Errorf(remuda.Invalid, "read labels %s: there is no split called %q", label, o.Split).WithHint("name its images under %s in data.yaml", o.Split)
	}
	set.images = o.Images
	if set.images == "" {
		set.images = set.root
		if sub := filepath.Join(set.root, "images"); isFolder(sub) {
			set.images = sub
		}
	}
	return set, nil
}

// findYAML returns the data.yaml of a folder, or its only .yaml file that names classes.
func findYAML(folder string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", folder, err)
	}
	var found []string
	for _, e := range entries {
		switch ext := strings.ToLower(filepath.Ext(e.Name())); {
		case e.IsDir() || ext != ".yaml" && ext != ".yml":
		case stem(strings.ToLower(e.Name())) == "data":
			return filepath.Join(folder, e.Name()), nil
		default:
			if b, err := os.ReadFile(filepath.Join(folder, e.Name())); err == nil && bytes.Contains(b, []byte("names:")) {
				found = append(found, filepath.Join(folder, e.Name()))
			}
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("find data.yaml in %s: there are %d .yaml files", folder, len(found))
	}
	return found[0], nil
}

// findNames returns the file that lists the names of classes, "" if there is none.
func findNames(folder string) string {
	for _, name := range []string{"classes.txt", "labels/classes.txt", "obj.names"} {
		if p := filepath.Join(folder, filepath.FromSlash(name)); exists(p) {
			return p
		}
	}
	return ""
}

func (s *yoloSet) fromNames(folder string) error {
	if s.namesFile == "" {
		return remuda.Errorf(remuda.Invalid, "read labels %s: nothing says what its classes are called", folder).WithHint("put the names into classes.txt, one a line")
	}
	b, err := readWhole("labels", s.namesFile)
	if err != nil {
		return err
	}
	for line := range strings.Lines(strings.TrimRight(string(b), "\r\n \t")) {
		s.names = append(s.names, strings.TrimSpace(line))
	}
	return nil
}

func (s *yoloSet) fromYAML(file string, o Options) error {
	b, err := readWhole("labels", file)
	if err != nil {
		return err
	}
	return s.parse(file, b, o)
}

// parse reads the bytes of a data.yaml.
func (s *yoloSet) parse(file string, b []byte, o Options) error {
	var y dataYAML
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&y); err != nil {
		return remuda.Errorf(remuda.Invalid, "read labels %s: %w", file, err).WithHint("it is no whole YOLO data.yaml: correct or export it again")
	}
	p := problems{action: "read labels " + file}
	s.names = y.names(&p)
	if y.NC != nil && len(p.list) == 0 && *y.NC != len(s.names) {
		p.add("make them agree", "nc is %d, but %d classes have names", *y.NC, len(s.names))
	}
	if root := filepath.FromSlash(y.Path); y.Path != "" && filepath.IsAbs(root) && isFolder(root) {
		s.root = root
	} else if root = filepath.Join(s.root, root); isFolder(root) {
		s.root = root // else data.yaml was moved: what it names lies beside it
	}
	for _, split := range []struct {
		name string
		node yaml.Node
	}{{"train", y.Train}, {"val", y.Val}, {"test", y.Test}} {
		found := entries(split.node, split.name, &p)
		s.named += len(found)
		if o.Split == "" || o.Split == split.name {
			s.splits = append(s.splits, found...)
		}
	}
	return p.err()
}

// entries returns the paths that a split names.
func entries(node yaml.Node, split string, p *problems) []string {
	var one string
	var several []string
	switch {
	case node.Kind == 0 || node.Tag == "!!null":
		return nil
	case node.Kind == yaml.ScalarNode && node.Decode(&one) == nil && one != "":
		return []string{one}
	case node.Kind == yaml.SequenceNode && node.Decode(&several) == nil:
		return several
	}
	p.add("give a folder of images, a list file, or several of them", "%s is no path", split)
	return nil
}

// names returns the classes' names in order.
func (y dataYAML) names(p *problems) []string {
	const hint = "list the classes under names"
	var list []string
	var byClass map[int]string
	switch {
	case y.Names.Kind == yaml.SequenceNode && y.Names.Decode(&list) == nil:
		return list
	case y.Names.Kind == yaml.MappingNode && y.Names.Decode(&byClass) == nil:
		for class := range len(byClass) {
			name, ok := byClass[class]
			if !ok {
				p.add("number the classes from 0 without a gap", "names has no class %d", class)
				return nil
			}
			list = append(list, name)
		}
		return list
	case y.Names.Kind == 0:
		p.add(hint, "it has no names of classes")
	default:
		p.add(hint, "names is neither a list of names nor a map from class to name")
	}
	return nil
}

func isEmpty(file string) bool {
	st, err := os.Stat(file)
	return err == nil && st.Mode().IsRegular() && st.Size() == 0
}
