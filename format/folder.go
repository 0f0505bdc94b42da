package format

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"remuda"
)

// filesBelow lists the files below a folder with one of the extensions
// (lower case), as sorted slash paths relative to it. The folder may be a link;
// below it, hidden files and folders are passed over and links to files taken.
func filesBelow(folder string, extensions ...string) ([]string, error) {
	var files []string
	folder, err := filepath.EvalSymlinks(folder) // the walk wouldn't follow one
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != folder && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && slices.Contains(extensions, strings.ToLower(filepath.Ext(p))):
			rel, err := filepath.Rel(folder, p)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// imageExtensions are those of the formats that imageio reads.
func imageExtensions() []string {
	return []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// stem returns a path without its extension.
func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// detectFolder tells a VOC folder from a YOLO one by what is in it.
func detectFolder(folder string) (string, error) {
	xml, err := filesBelow(annotationFolder(folder), ".xml")
	if err != nil {
		return "", openError("labels", folder, err)
	}
	voc, yolo := len(xml) > 0, looksLikeYOLO(folder)
	switch {
	case voc && yolo:
		return "", remuda.Errorf(remuda.Invalid, "read labels %s: the folder has both Pascal VOC and YOLO labels", folder).WithHint("say which with --format voc or --format yolo")
	case voc:
		return VOC, nil
	case yolo:
		return YOLO, nil
	}
	hint := "give a COCO .json, a folder of Pascal VOC .xml files or a YOLO folder with data.yaml or classes.txt"
	if found, err := filesBelow(folder, ".json"); err == nil && len(found) > 0 {
		hint = "give the file itself, such as " + filepath.Join(folder, filepath.FromSlash(found[0]))
	}
	return "", remuda.Errorf(remuda.Invalid, "read labels %s: there are no labels in the folder", folder).WithHint("%s", hint)
}

func looksLikeYOLO(folder string) bool {
	if _, err := findYAML(folder); err == nil {
		return true
	}
	if findNames(folder) != "" {
		return true
	}
	labels, err := filesBelow(filepath.Join(folder, "labels"), ".txt")
	return err == nil && len(labels) > 0
}
