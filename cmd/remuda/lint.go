package main

import (
	"fmt"
	"slices"
	"strings"

	"remuda"
	"remuda/imageio"
	"remuda/lint"
)

// shownFindings bounds what is listed one by one.
const shownFindings = 30

// clean returns the datasets with boxes clipped to their images and those
// without area dropped; val may be nil.
func clean(learn remuda.Dataset, val *remuda.Dataset, images map[string]lint.Facts) (remuda.Dataset, *remuda.Dataset) {
	learn, _ = lint.Clean(learn, images)
	if val != nil {
		cleaned, _ := lint.Clean(*val, images)
		val = &cleaned
	}
	return learn, val
}

func factsOfAll(facts map[string]imageio.Inspection) map[string]lint.Facts {
	images := make(map[string]lint.Facts, len(facts))
	for file, f := range facts {
		known := factsOf(f.Info)
		known.Hash, known.SHA256 = f.PerceptualHash, f.SHA256
		images[file] = known
	}
	return images
}

func factsOf(i imageio.Info) lint.Facts {
	return lint.Facts{
		Width: i.Width, Height: i.Height, StoredWidth: i.StoredWidth, StoredHeight: i.StoredHeight, Orientation: i.Orientation,
	}
}

// list prints findings, worst first.
func (m *Main) list(findings []lint.Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(m.Stderr, "remuda: the data have %s\n", lint.Summary(findings))
	for i, f := range findings {
		if i == shownFindings {
			fmt.Fprintf(m.Stderr, "  and %d more\n", len(findings)-shownFindings)
			return
		}
		where := f.Split
		if f.File != "" {
			where += " " + f.File
		}
		fmt.Fprintf(m.Stderr, "  %s: %s\n", strings.TrimSpace(where), f.Message)
	}
}

// listMismatches says which images have another size than their labels say.
func (m *Main) listMismatches(d remuda.Dataset, facts map[string]lint.Facts) {
	_, findings := lint.Clean(d, facts)
	m.list(slices.DeleteFunc(findings, func(f lint.Finding) bool { return f.Kind != lint.SizeMismatch }))
}

// upright turns the boxes of labels that were drawn on images as they are
// stored, before EXIF turned them. All other labels stay as they are, so that
// an evaluation's numbers are those of the file.
func upright(d remuda.Dataset, facts map[string]lint.Facts) remuda.Dataset {
	cleaned, findings := lint.Clean(d, facts)
	if slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Kind == lint.SizeMismatch }) {
		return cleaned
	}
	return d
}
