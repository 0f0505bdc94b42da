package label

import (
	"fmt"
	"slices"
)

// Outdated says why an answer given under an old taxonomy no longer does under
// a new one, in sentences; none if it still does. It does not when the new one
// would refuse it, or asks for something that nobody was asked to look for: a
// category, or an attribute or a choice of one where a box has it to say.
func Outdated(answer Answer, old, new Taxonomy) (why []string) {
	for _, f := range validity(answer, new) {
		why = append(why, f.Message)
	}
	before := old.Leaves()
	for _, name := range new.Leaves() {
		if !slices.Contains(before, name) {
			why = append(why, fmt.Sprintf("nobody was asked to look for %s", name))
		}
	}
	for _, a := range new.Attributes {
		i := slices.IndexFunc(old.Attributes, func(b Attribute) bool { return b.ID == a.ID })
		if i >= 0 && !newChoice(old.Attributes[i], a) && old.Attributes[i].Image == a.Image {
			continue
		}
		if applies(a, answer) {
			why = append(why, fmt.Sprintf("nobody was asked for all of attribute %s", a.ID))
		}
	}
	return why
}

func newChoice(old, new Attribute) bool {
	return slices.ContainsFunc(new.Choices, func(c string) bool { return !slices.Contains(old.Choices, c) })
}

// applies reports whether an attribute is asked anywhere in the answer.
func applies(a Attribute, answer Answer) bool {
	if a.Image {
		return a.Asked("", answer.Attributes)
	}
	return slices.ContainsFunc(answer.Boxes, func(b Box) bool { return a.Asked(b.Category, b.Attributes) })
}

// OutdatedTasks returns the ids of the real tasks whose result a newer taxonomy
// outdated, with the reasons, given the taxonomy by version. A result's
// taxonomy is the oldest that the round's people saw: what one of them wasn't
// asked may be missing. A task under an unknown version is not judged.
func OutdatedTasks(tasks []Task, versions map[int]Taxonomy, new Taxonomy) map[string][]string {
	outdated := make(map[string][]string)
	for _, t := range tasks {
		answer, ok := t.Label()
		if !ok {
			continue
		}
		old, known := versions[t.taxonomy()]
		if !known || old.Version >= new.Version {
			continue
		}
		if why := Outdated(answer, old, new); len(why) > 0 {
			outdated[t.ID] = why
		}
	}
	return outdated
}

// taxonomy returns the oldest version that the round's people saw. A fix is a
// new answer to the whole image, so what went before it doesn't count.
func (t Task) taxonomy() int {
	version := 0
	for _, w := range t.Work {
		if w.Round != t.Round || w.Answer == nil {
			continue
		}
		if version == 0 || w.Stage != Attempting || w.Taxonomy < version {
			version = w.Taxonomy
		}
	}
	return version
}
