package format

import (
	"slices"

	"remuda"
)

// Align returns a dataset with the given categories, its annotations' ids
// changed to those of the same name, so that data from two label files, or from
// a file and a model, agree. Categories that no annotation uses may be missing
// from the given ones; path is for the error that names one that is used.
func Align(path string, d remuda.Dataset, categories []remuda.Category) (remuda.Dataset, error) {
	ids := make(map[string]int64)
	var names []string
	for _, c := range categories {
		ids[c.Name] = c.ID
		names = append(names, c.Name)
	}
	byID := make(map[int64]string)
	for _, c := range d.Categories {
		byID[c.ID] = c.Name
	}
	p := problems{action: "read labels " + path}
	said := make(map[string]bool)
	annotations := slices.Clone(d.Annotations)
	for i := range annotations {
		name := byID[annotations[i].CategoryID]
		id, ok := ids[name]
		if !ok && !said[name] {
			said[name] = true
			p.add("use the same categories everywhere", "its category %q is none of %q", name, names)
		}
		annotations[i].CategoryID = id
	}
	d.Categories, d.Annotations = categories, annotations
	return d, p.err()
}
