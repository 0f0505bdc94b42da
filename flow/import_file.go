package flow

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"remuda"
	"remuda/format"
	"remuda/store"
)

const (
	maxLabelFile    = 1 << 30   // bytes of label files, packed and unpacked: a COCO file is read as a whole
	maxLabelEntries = 1_000_000 // files of an archive
)

// ImportLabelFile is ImportLabels for a file as [Flow.ExportLabels] writes it: a
// COCO json, or a zip archive of a folder of Pascal VOC or YOLO labels.
func (f *Flow) ImportLabelFile(ctx context.Context, caller remuda.Caller, dataset, kind string, r io.Reader) (done Imported, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return done, err
	}
	if _, err := f.Dataset(ctx, caller, dataset); err != nil {
		return done, err
	}
	folder, err := os.MkdirTemp("", "remuda-import-")
	if err != nil {
		return done, remuda.Errorf(remuda.Unavailable, "import labels: %w", err).WithHint("make room in the folder of temporary files")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file, err := receiveFile(folder, r)
	if err != nil {
		return done, err
	}
	defer file.Close()
	o := format.Options{Kind: kind}
	place := file.Name()
	if kind != format.COCO {
		if place, err = unpackLabels(folder, file); err != nil {
			return done, err
		}
		if o.Size, err = f.sizesOf(ctx, caller, dataset, place); err != nil {
			return done, err
		}
	}
	labels, err := format.Read(place, o)
	if err != nil {
		return done, remuda.Inside(strings.ReplaceAll(err.Error(), folder+string(filepath.Separator), ""), err)
	}
	return f.ImportLabels(ctx, caller, dataset, labels)
}

func receiveFile(folder string, r io.Reader) (*os.File, error) {
	file, err := os.Create(filepath.Join(folder, "labels.json"))
	if err != nil {
		return nil, remuda.Errorf(remuda.Unavailable, "import labels: %w", err).WithHint("make room in the folder of temporary files")
	}
	line := &senderReader{r: r}
	n, err := io.Copy(file, io.LimitReader(line, maxLabelFile+1))
	switch {
	case line.err != nil:
		err = remuda.Errorf(remuda.Invalid, "read the label file: %w", line.err).WithHint("send it again")
	case err != nil:
		err = remuda.Errorf(remuda.Unavailable, "import labels: %w", err).WithHint("make room in the folder of temporary files")
	case n > maxLabelFile:
		err = remuda.Errorf(remuda.Invalid, "the label file has more than %d bytes", int64(maxLabelFile)).WithHint("send it in parts")
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// unpackLabels unpacks an archive below a folder, from which nothing leads out.
func unpackLabels(folder string, file *os.File) (string, error) {
	wrong := func(err error) error {
		return remuda.Errorf(remuda.Invalid, "read the archive of labels: %w", err).WithHint("send a zip archive of the folder of labels")
	}
	st, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("import labels: %w", err)
	}
	archive, err := zip.NewReader(file, st.Size())
	if err != nil {
		return "", wrong(err)
	}
	if len(archive.File) > maxLabelEntries {
		return "", wrong(fmt.Errorf("it has more than %d files", maxLabelEntries))
	}
	place := filepath.Join(folder, "labels")
	if err := os.Mkdir(place, 0o700); err != nil {
		return "", fmt.Errorf("import labels: %w", err)
	}
	root, err := os.OpenRoot(place)
	if err != nil {
		return "", fmt.Errorf("import labels: %w", err)
	}
	defer root.Close()
	left := int64(maxLabelFile)
	for _, entry := range archive.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		n, err := unpack(root, entry, left)
		if err != nil {
			return "", wrong(fmt.Errorf("%.200s: %w", entry.Name, err))
		}
		left -= n
	}
	return place, nil
}

func unpack(root *os.Root, entry *zip.File, most int64) (int64, error) {
	if err := root.MkdirAll(path.Dir(entry.Name), 0o700); err != nil {
		return 0, err
	}
	in, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := root.OpenFile(entry.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("the archive unpacks to more than %d bytes", int64(maxLabelFile))
	}
	return n, errors.Join(err, out.Close())
}

// sizesOf returns what knows the sizes of a dataset's images by the files that
// labels below a folder name.
func (f *Flow) sizesOf(ctx context.Context, caller remuda.Caller, dataset, folder string) (func(string) (int, int, error), error) {
	type size struct{ w, h int }
	byName, byBase := make(map[string]size), make(map[string]size)
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		for after := int64(-1); ; {
			items, err := tx.ItemsAfter(dataset, after, exportPage)
			if err != nil || len(items) == 0 {
				return err
			}
			for _, item := range items {
				known := size{item.Width, item.Height}
				byName[item.ReferenceID], byName[FileName(item)], byBase[path.Base(item.ReferenceID)] = known, known, known
			}
			after = items[len(items)-1].Position
		}
	})
	return func(file string) (int, int, error) {
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return 0, 0, fmt.Errorf("find the image of %s: %w", file, err)
		}
		name = filepath.ToSlash(name)
		for _, found := range []size{byName[name], byName[trimImages(name)], byBase[path.Base(name)]} {
			if found.w > 0 && found.h > 0 {
				return found.w, found.h, nil
			}
		}
		return 0, 0, remuda.Errorf(remuda.Invalid, "the dataset has no image %s, or doesn't know its size", name).WithHint("upload the images first")
	}, err
}

// trimImages takes off the folder in which YOLO's tools have images.
func trimImages(name string) string {
	const folder = "images/"
	if len(name) > len(folder) && name[:len(folder)] == folder {
		return name[len(folder):]
	}
	return name
}
