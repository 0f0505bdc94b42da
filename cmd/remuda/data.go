package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"remuda"
	"remuda/format"
	"remuda/imageio"
	"remuda/lint"
)

// labels names label files.
type labels struct {
	path string
	kind string // auto, coco, voc or yolo
	part string // train, val or test: which part of a YOLO data.yaml, which lists several
}

// read reads labels that have something to learn from or to score by. Images is
// the folder of images, "" where there is none.
func (l labels) read(images string) (remuda.Dataset, error) {
	o := format.Options{Kind: l.kind, Images: images, Size: sizeOf}
	path := l.path
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		o.Split = l.part
		var err error
		if path, err = filepath.Abs(path); err != nil { // its images are found below images, which is absolute
			return remuda.Dataset{}, fmt.Errorf("find %s: %w", l.path, err)
		}
	}
	d, err := format.Read(path, o)
	if err != nil {
		return d, invalid(err)
	}
	return d, format.RequireBoxes(l.path, d)
}

func sizeOf(file string) (w, h int, err error) {
	info, err := imageio.Probe(file)
	return info.Width, info.Height, err
}

// requireFolder fails when images are not where they are said to be.
func requireFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return remuda.Errorf(remuda.NotFound, "there is no folder of images at %s", dir).WithHint("check the path")
	case err != nil:
		return remuda.Errorf(remuda.Invalid, "read the folder of images: %w", err).WithHint("check the path")
	case !info.IsDir():
		return remuda.Errorf(remuda.Invalid, "%s is no folder of images", dir).WithHint("give the folder that the images lie in; names in label files are relative to it")
	}
	return nil
}

func imagePath(dir, file string) string { return filepath.Join(dir, filepath.FromSlash(file)) }

// filesOf lists the image files of datasets, each once.
func filesOf(datasets ...remuda.Dataset) []string {
	var files []string
	seen := make(map[string]bool)
	for _, d := range datasets {
		for _, item := range d.Items {
			if !seen[item.File] {
				seen[item.File] = true
				files = append(files, item.File)
			}
		}
	}
	return files
}

// inspect decodes every image and returns what is known of each.
func (m *Main) inspect(dir string, files []string) (map[string]imageio.Inspection, error) {
	return perFile(m, "reading images", dir, files, imageio.Inspect)
}

// probe reads every image's header, and names at once all files that are
// missing, empty, too large or no images.
func (m *Main) probe(dir string, files []string) (map[string]lint.Facts, error) {
	return perFile(m, "looking at images", dir, files, func(path string) (lint.Facts, error) {
		info, err := imageio.Probe(path)
		return factsOf(info), err
	})
}

// perFile calls fn with the path of every file on all cores, and returns what
// it found by the file's name in the label file. All files that can't be used are
// named at once.
func perFile[T any](m *Main, what, dir string, files []string, fn func(path string) (T, error)) (map[string]T, error) {
	results := make([]T, len(files))
	err := m.eachFile(what, files, func(i int) error {
		var err error
		results[i], err = fn(imagePath(dir, files[i]))
		return err
	})
	found := make(map[string]T, len(files))
	for i, file := range files {
		found[file] = results[i]
	}
	return found, err
}

// eachFile calls fn for every file on all cores, and joins the errors in the
// files' order.
func (m *Main) eachFile(what string, files []string, fn func(i int) error) error {
	errs := make([]error, len(files))
	var next, done atomic.Int64
	bar := m.newBar()
	var showing sync.Mutex
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files) && m.ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				errs[i] = fn(i)
				n := done.Add(1)
				showing.Lock()
				bar.update(float64(n)/float64(len(files)), what, fmt.Sprintf("%d of %d", n, len(files)))
				showing.Unlock()
			}
		})
	}
	workers.Wait()
	bar.clear()
	if m.ctx.Err() != nil {
		return m.interruptedOr(nil)
	}
	var problems []error
	for _, err := range errs {
		if err != nil {
			problems = append(problems, err)
		}
	}
	return several("images can't be used", problems)
}

// align gives a dataset the category ids of another by name, since formats
// without ids number what they happen to hold. A category that the other does
// not have is an error, which names both files.
func align(d remuda.Dataset, path string, to []remuda.Category, of string) (remuda.Dataset, error) {
	known := make(map[string]int64, len(to))
	for _, c := range to {
		known[c.Name] = c.ID
	}
	renamed := make(map[int64]int64, len(d.Categories))
	for _, c := range d.Categories {
		id, ok := known[c.Name]
		if !ok {
			return d, remuda.Errorf(remuda.Invalid, "%s has the category %q, which %s has not", path, c.Name, of).
				WithHint("give both the same names of categories")
		}
		renamed[c.ID] = id
	}
	aligned := remuda.Dataset{Categories: to, Items: d.Items, Annotations: make([]remuda.Annotation, len(d.Annotations))}
	for i, a := range d.Annotations {
		a.CategoryID = renamed[a.CategoryID]
		aligned.Annotations[i] = a
	}
	return aligned, nil
}

// dataHash names a dataset by content: the SHA-256 of its categories, and for
// each item of the SHA-256 of its image and of its annotations.
func dataHash(file string, d remuda.Dataset, sums map[string]string) (remuda.DataHash, error) {
	whole := sha256.New()
	lines := json.NewEncoder(whole)
	if err := lines.Encode(d.Categories); err != nil {
		return remuda.DataHash{}, fmt.Errorf("hash %s: %w", file, err)
	}
	byItem := remuda.ByItem(d.Annotations)
	for _, item := range d.Items {
		if err := lines.Encode(map[string]any{"image": sums[item.File], "annotations": byItem[item.ID]}); err != nil {
			return remuda.DataHash{}, fmt.Errorf("hash %s: %w", file, err)
		}
	}
	return remuda.DataHash{
		File: file, Items: len(d.Items), Annotations: len(d.Annotations), SHA256: hex.EncodeToString(whole.Sum(nil)),
	}, nil
}

// imageSums returns the SHA-256 of every file in hex, by its name in the label file.
func (m *Main) imageSums(dir string, files []string) (map[string]string, error) {
	return perFile(m, "checking images", dir, files, func(path string) (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", remuda.Errorf(remuda.NotFound, "check an image of the run: %w", err).WithHint("put the images back where they were")
		}
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return "", fmt.Errorf("check an image of the run: %w", err)
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	})
}
