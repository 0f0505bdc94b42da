package format

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"remuda"
)

// labelFiles returns each item's label file relative to its folder: the
// image's name with another extension. Two images may not share one.
func labelFiles(d remuda.Dataset, extension string) (map[int64]string, error) {
	owners := make(labelOwners)
	files := make(map[int64]string)
	for _, item := range d.Items {
		file, err := owners.file(item.File, extension)
		if err != nil {
			return nil, err
		}
		files[item.ID] = file
	}
	return files, nil
}

// labelOwners are the images that label files belong to.
type labelOwners map[string]string

// file returns the label file of an image that has none yet.
func (owners labelOwners) file(image, extension string) (string, error) {
	clean, wrong := cleanName(image)
	if wrong != "" {
		return "", remuda.Errorf(remuda.Invalid, "the image's name %q %s", image, wrong).WithHint(nameHint)
	}
	if strings.TrimSpace(clean) != clean {
		return "", remuda.Errorf(remuda.Invalid, "the image's name %q begins or ends with a space", image).WithHint("rename it, or write COCO")
	}
	file := stem(clean) + extension
	if other, ok := owners[file]; ok {
		return "", remuda.Errorf(remuda.Invalid, "the images %s and %s would share the label file %s", other, image, file).
			WithHint("rename one of them, or write COCO")
	}
	owners[file] = image
	return file, nil
}

// writeBelow writes a file of a folder that is being staged.
func writeBelow(folder, file string, fill func(w *bufio.Writer) error) error {
	full := filepath.Join(folder, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", file, err)
	}
	if err := create(full, false, fill); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// writeVOC writes Annotations/*.xml and the label map. Coordinates keep their
// fractions, as decimals, so that nothing moves.
func writeVOC(folder string, d remuda.Dataset) error {
	files, err := labelFiles(d, ".xml")
	if err != nil {
		return err
	}
	names := make(map[int64]string)
	for _, c := range d.Categories {
		names[c.ID] = c.Name
	}
	err = writeBelow(folder, labelMap, func(w *bufio.Writer) error { return writeLabelMap(w, d.Categories) })
	if err != nil {
		return err
	}
	byItem := remuda.ByItem(d.Annotations)
	for _, item := range d.Items {
		err := writeBelow(folder, "Annotations/"+files[item.ID], func(w *bufio.Writer) error {
			return writeVOCFile(w, item, byItem[item.ID], names)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeLabelMap(w *bufio.Writer, categories []remuda.Category) error {
	for _, c := range categories {
		if strings.Contains(c.Name, ":") || strings.HasPrefix(c.Name, "#") || strings.TrimSpace(c.Name) != c.Name {
			return remuda.Errorf(remuda.Invalid, "Pascal VOC's label map can't hold the category's name %q", c.Name).WithHint("rename it, or write COCO")
		}
		fmt.Fprintf(w, "%s:::\n", c.Name)
	}
	return nil
}

func writeVOCFile(w *bufio.Writer, item remuda.Item, annotations []remuda.Annotation, names map[int64]string) error {
	text := func(s string) string {
		var b strings.Builder
		xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
		return b.String()
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	fmt.Fprintf(w, "<annotation>\n\t<filename>%s</filename>\n", text(item.File[strings.LastIndex(item.File, "/")+1:]))
	fmt.Fprintf(w, "\t<size>\n\t\t<width>%d</width>\n\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n", item.Width, item.Height)
	for _, a := range annotations {
		difficult := 0
		if a.Crowd {
			difficult = 1
		}
		fmt.Fprintf(w, "\t<object>\n\t\t<name>%s</name>\n\t\t<difficult>%d</difficult>\n\t\t<bndbox>\n", text(names[a.CategoryID]), difficult)
		fmt.Fprintf(w, "\t\t\t<xmin>%s</xmin>\n\t\t\t<ymin>%s</ymin>\n", number(a.Box.X0+1), number(a.Box.Y0+1))
		fmt.Fprintf(w, "\t\t\t<xmax>%s</xmax>\n\t\t\t<ymax>%s</ymax>\n\t\t</bndbox>\n\t</object>\n", number(a.Box.X1), number(a.Box.Y1))
	}
	_, err := io.WriteString(w, "</annotation>\n")
	return err
}

// writeYOLO writes data.yaml, the list of images and labels/*.txt. The images
// themselves are to lie in the folder's images, or anywhere else that is given
// when the labels are read. Crowds are left out: YOLO would take them for
// single objects.
func writeYOLO(folder string, d remuda.Dataset) error {
	files, err := labelFiles(d, ".txt")
	if err != nil {
		return err
	}
	classes, config, err := yoloClasses(d.Categories)
	if err != nil {
		return err
	}
	if err := writeBelow(folder, "data.yaml", func(w *bufio.Writer) error { w.Write(config); return nil }); err != nil {
		return err
	}
	err = writeBelow(folder, "train.txt", func(w *bufio.Writer) error {
		for _, item := range d.Items {
			fmt.Fprintf(w, "./images/%s\n", item.File)
		}
		return nil
	})
	if err != nil {
		return err
	}
	byItem := remuda.ByItem(d.Annotations)
	for _, item := range d.Items {
		err := writeBelow(folder, "labels/"+files[item.ID], func(w *bufio.Writer) error {
			return writeYOLOFile(w, item, byItem[item.ID], classes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// yoloClasses returns the class of each category and the data.yaml that names them.
func yoloClasses(categories []remuda.Category) (classes map[int64]int, config []byte, err error) {
	classes = make(map[int64]int)
	var names []string
	for i, c := range categories {
		classes[c.ID] = i
		names = append(names, c.Name)
	}
	config, err = yaml.Marshal(map[string]any{"path": ".", "train": "train.txt", "val": "train.txt", "nc": len(names), "names": names})
	if err != nil {
		return nil, nil, fmt.Errorf("write data.yaml: %w", err)
	}
	return classes, config, nil
}

func writeYOLOFile(w *bufio.Writer, item remuda.Item, annotations []remuda.Annotation, classes map[int64]int) error {
	if item.Width < 1 || item.Height < 1 {
		return remuda.Errorf(remuda.Invalid, "the size of the image %s is not known, and YOLO's boxes are fractions of it", item.File).WithHint("give the folder of images too")
	}
	var b []byte
	for _, a := range annotations {
		if a.Crowd {
			continue
		}
		box := a.Box.Scale(1/float64(item.Width), 1/float64(item.Height))
		b = strconv.AppendInt(b[:0], int64(classes[a.CategoryID]), 10)
		for _, v := range [4]float64{(box.X0 + box.X1) / 2, (box.Y0 + box.Y1) / 2, box.Width(), box.Height()} {
			b = strconv.AppendFloat(append(b, ' '), v, 'f', -1, 64)
		}
		w.Write(append(b, '\n'))
	}
	return nil
}
