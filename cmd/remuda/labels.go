package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"

	"remuda"
	"remuda/client"
	"remuda/format"
	"remuda/wire"
)

type datasetImportCmd struct {
	ofDataset
	uploadFlags
	Labels string `arg:"" help:"COCO json, Pascal VOC folder, YOLO folder or data.yaml."`
	Images string `help:"Folder of images, which are uploaded first (default: the dataset has them)." placeholder:"DIR"`
	Format string `help:"${enum}." enum:"auto,coco,voc,yolo" default:"auto"`
}

// Run uploads images and imports their labels. Both can be repeated: what is
// there already is passed over.
func (c *datasetImportCmd) Run(m *Main) error {
	if c.Images != "" {
		if err := requireFolder(c.Images); err != nil {
			return err
		}
	}
	kind := c.Format
	if kind == format.Auto {
		var err error
		if kind, err = format.Detect(c.Labels); err != nil {
			return invalid(err)
		}
	}
	d, err := format.Read(c.Labels, format.Options{Kind: kind, Images: c.Images, Size: sizeOf})
	if err != nil {
		return invalid(err)
	}
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	var out struct {
		Upload *uploadReport `json:"upload,omitempty"`
		Labels wire.Imported `json:"labels"`
	}
	if c.Images != "" {
		report, err := m.upload(to, id, c.Images, filesOf(d), c.uploadFlags)
		if err != nil {
			return err
		}
		if out.Upload = &report; !c.JSON {
			report.print(m.Stdout)
		}
	}
	if out.Labels, err = sendLabels(m.ctx, to, id, c.Labels, kind, d); err != nil {
		return m.interruptedOr(err)
	}
	if c.JSON {
		err = m.printJSON(out)
	} else {
		printImported(m, out.Labels)
	}
	if out.Upload != nil {
		err = errors.Join(err, out.Upload.err())
	}
	return errors.Join(err, importError(out.Labels))
}

// sendLabels sends a COCO file as it is, and other labels as one: their boxes
// were read with the images' sizes, which only this machine may know.
func sendLabels(ctx context.Context, c *client.Client, dataset, path, kind string, d remuda.Dataset) (wire.Imported, error) {
	if kind != format.COCO {
		folder, err := os.MkdirTemp("", "remuda-import-")
		if err != nil {
			return wire.Imported{}, writeError(os.TempDir(), err)
		}
		defer os.RemoveAll(folder)
		path = filepath.Join(folder, "labels.json")
		if err := format.Write(path, format.COCO, d); err != nil {
			return wire.Imported{}, err
		}
	}
	return c.ImportLabels(ctx, dataset, format.COCO, func() (io.ReadCloser, error) { return os.Open(path) })
}

func printImported(m *Main, in wire.Imported) {
	fmt.Fprintf(m.Stdout, "%d boxes on %s: %d added, %d there already\n", in.Boxes, count(in.Items, "image"), in.Added, in.Ignored)
	if in.Turned > 0 {
		fmt.Fprintf(m.Stdout, "%s had boxes drawn before EXIF turned the image; they were turned with it\n", count(in.Turned, "image"))
	}
	for i, file := range in.Resized {
		if i == shownFindings {
			fmt.Fprintf(m.Stdout, "and %d more\n", len(in.Resized)-i)
			break
		}
		fmt.Fprintf(m.Stdout, "%s: the labels are of another size than the image; its boxes were taken as they are\n", file)
	}
}

// importError names the files that found no item.
func importError(in wire.Imported) error {
	var problems []error
	for _, file := range in.Unknown {
		problems = append(problems, remuda.Errorf(remuda.NotFound, "%s: the dataset has no such image", file).WithHint("give --images to upload them"))
	}
	for _, file := range in.Ambiguous {
		problems = append(problems, remuda.Errorf(remuda.Conflict, "%s: several images end in this name", file).WithHint("name them in the labels with their folders"))
	}
	return several("files of the labels were left out", problems)
}

// exportFlags say what an export writes.
type exportFlags struct {
	Out    string `arg:"" help:"Folder to make."`
	To     string `help:"${enum}." enum:"coco,voc,yolo" default:"coco"`
	Images bool   `help:"Write the images too, so that the folder can be trained on."`
}

type datasetExportCmd struct {
	ofDataset
	exportFlags
}

// Run exports a dataset.
func (c *datasetExportCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	return m.export(c.exportFlags, c.JSON, exportSource{
		labels: func(w io.Writer) (wire.Proof, error) { return from.ExportDataset(m.ctx, id, c.To, w) },
		items: func(ctx context.Context, page client.Page) (wire.Items, error) {
			return from.Items(ctx, id, client.Search{}, page, true)
		},
		client: from,
	})
}

// exportSource is what an export reads.
type exportSource struct {
	client *client.Client
	labels func(w io.Writer) (wire.Proof, error)
	items  func(ctx context.Context, page client.Page) (wire.Items, error)
}

// export writes label files into a new folder, reads them again, compares them
// with what the server says of each image, and only then gives the folder its name.
func (m *Main) export(o exportFlags, asJSON bool, from exportSource) error {
	if entries, err := os.ReadDir(o.Out); len(entries) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return remuda.Errorf(remuda.Conflict, "%s exists already", o.Out).WithHint("name a new folder")
	}
	parent := filepath.Dir(filepath.Clean(o.Out))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return writeError(o.Out, err)
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(o.Out)+".*.tmp")
	if err != nil {
		return writeError(o.Out, err)
	}
	defer os.RemoveAll(temp) // what was not renamed
	if err := os.Chmod(temp, 0o755); err != nil {
		return writeError(o.Out, err)
	}
	x := &exporter{m: m, o: o, from: from, folder: temp}
	if err := x.run(); err != nil {
		return m.interruptedOr(err)
	}
	_ = os.Remove(o.Out) // an empty folder gives way
	if err := os.Rename(temp, o.Out); err != nil {
		return writeError(o.Out, err)
	}
	if asJSON {
		return m.printJSON(x.proof)
	}
	return x.print(m.Stdout)
}

// exporter is an export under way.
type exporter struct {
	m      *Main
	o      exportFlags
	from   exportSource
	folder string
	proof  format.Proof

	kept  remuda.Dataset // what was written, as it reads
	boxes map[string][]remuda.Annotation
	names map[int64]string
}

// labelsFile is what a COCO export is called.
const labelsFile = "labels.json"

func (x *exporter) run() error {
	said, err := x.fetchLabels()
	if err != nil {
		return err
	}
	if said.Items == 0 {
		return remuda.Errorf(remuda.Invalid, "there are no images to export").WithHint("`remuda slice show` and `remuda dataset show` say how many there are")
	}
	x.proof.Losses = said.Losses
	if err := x.read(); err != nil {
		return err
	}
	bar := x.m.newBar()
	defer bar.clear()
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancelCause(x.m.ctx)
	defer cancel(nil)
	slots := make(chan struct{}, 8)
	seen := 0
	err = client.EachItem(ctx, x.from.items, func(item wire.Item) error {
		seen++
		bar.update(float64(seen)/float64(max(1, said.Items)), "comparing", fmt.Sprintf("%d of %d", seen, said.Items))
		if err := x.compare(item); err != nil || !x.o.Images {
			return err
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait.Go(func() {
			defer func() { <-slots }()
			if err := x.image(ctx, item); err != nil {
				cancel(err)
			}
		})
		return nil
	})
	wait.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil {
		err = cause
	}
	if err == nil && len(x.boxes) > 0 {
		err = x.changed()
	}
	return err
}

// fetchLabels writes what the server sends.
func (x *exporter) fetchLabels() (said wire.Proof, err error) {
	path := filepath.Join(x.folder, labelsFile)
	if x.o.To != format.COCO {
		path = filepath.Join(x.folder, ".labels.zip")
	}
	f, err := os.Create(path)
	if err != nil {
		return said, writeError(path, err)
	}
	defer f.Close()
	if said, err = x.from.labels(f); err != nil {
		return said, err
	}
	if err := f.Sync(); err != nil {
		return said, writeError(path, err)
	}
	if x.o.To == format.COCO {
		return said, nil
	}
	return said, errors.Join(unzip(f, x.folder), os.Remove(path))
}

// unzip unpacks an archive into a folder, from which nothing leads out.
func unzip(f *os.File, folder string) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, st.Size())
	if err != nil {
		return remuda.Errorf(remuda.Unavailable, "read the export: %w", err).WithHint("export again")
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, entry := range archive.File {
		if err := unpack(root, entry); err != nil {
			return writeError(filepath.Join(folder, entry.Name), err)
		}
	}
	return nil
}

func unpack(root *os.Root, entry *zip.File) error {
	if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(entry.Name)), 0o755); err != nil || entry.FileInfo().IsDir() {
		return err
	}
	in, err := entry.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(filepath.FromSlash(entry.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// read reads what was written as anyone else would.
func (x *exporter) read() (err error) {
	sizes := make(map[string][2]int)
	if x.o.To == format.YOLO {
		err := client.EachItem(x.m.ctx, x.from.items, func(item wire.Item) error {
			sizes[item.File] = [2]int{item.Width, item.Height}
			return nil
		})
		if err != nil {
			return err
		}
	}
	path := x.folder
	if x.o.To == format.COCO {
		path = filepath.Join(x.folder, labelsFile)
	}
	images := filepath.Join(x.folder, imagesFolder)
	x.kept, err = format.Read(path, format.Options{Kind: x.o.To, Images: images, Size: func(file string) (int, int, error) {
		name, err := filepath.Rel(images, file)
		size := sizes[filepath.ToSlash(name)]
		return size[0], size[1], err
	}})
	if err != nil {
		return fmt.Errorf("check the export: %w", err)
	}
	x.names = make(map[int64]string)
	for _, c := range x.kept.Categories {
		x.names[c.ID] = c.Name
	}
	byItem := remuda.ByItem(x.kept.Annotations)
	x.boxes = make(map[string][]remuda.Annotation, len(x.kept.Items))
	for _, item := range x.kept.Items {
		x.boxes[item.File] = byItem[item.ID]
	}
	return nil
}

// imagesFolder is where an export writes images.
const imagesFolder = "images"

// compare holds what was written of an image against what the server says of it.
func (x *exporter) compare(item wire.Item) error {
	kept, listed := x.boxes[item.File]
	delete(x.boxes, item.File)
	var said []wire.Annotation
	for _, a := range item.Annotations {
		if a.Type == "box" && (x.o.To != format.YOLO || !a.Crowd) {
			said = append(said, a)
		}
	}
	if !listed || len(kept) != len(said) {
		return x.changed()
	}
	for i, a := range said {
		b := kept[i].Box
		d := max(math.Abs(b.X0-a.Box.X0), math.Abs(b.Y0-a.Box.Y0), math.Abs(b.X1-a.Box.X1), math.Abs(b.Y1-a.Box.Y1))
		if x.names[kept[i].CategoryID] != a.Category || d > exportTolerance {
			return x.changed()
		}
		x.proof.LargestDifference = max(x.proof.LargestDifference, d)
	}
	x.proof.Items++
	x.proof.Boxes += len(said)
	return nil
}

// exportTolerance in pixels is what fractions of an image, written as decimals, cost.
const exportTolerance = 1e-3

func (x *exporter) changed() error {
	return remuda.Errorf(remuda.Conflict, "what was written is not what the server has: it was changed meanwhile").WithHint("export again, or freeze a slice and export that")
}

// image fetches the image of an item.
func (x *exporter) image(ctx context.Context, item wire.Item) error {
	if item.ImageURL == "" {
		return remuda.Errorf(remuda.Conflict, "the image of %s is not on the server", item.ReferenceID).WithHint("upload it, or export without --images")
	}
	if !filepath.IsLocal(filepath.FromSlash(item.File)) {
		return remuda.Errorf(remuda.Unavailable, "the server calls an image %q, which leads out of the folder", item.File).WithHint("is it a Remuda server?")
	}
	path := filepath.Join(x.folder, imagesFolder, filepath.FromSlash(item.File))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return writeError(path, err)
	}
	return x.from.client.Image(ctx, item.ImageURL, func() (io.WriteCloser, error) {
		f, err := os.Create(path)
		if err != nil {
			return nil, writeError(path, err)
		}
		return f, nil
	})
}

// print says what was proven, and how to train on it.
func (x *exporter) print(w io.Writer) error {
	text := fmt.Sprintf("%s: %s, %s\n", x.o.Out, count(x.proof.Items, "image"), x.proof)
	for _, loss := range x.proof.Losses {
		text += "lost: " + loss + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
