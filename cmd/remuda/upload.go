package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"remuda"
	"remuda/client"
	"remuda/internal/disk"
	"remuda/wire"
)

type datasetUploadCmd struct {
	ofDataset
	uploadFlags
	Folder string `arg:"" help:"Folder of images; those in folders below it are sent too, and are called by their path."`
}

type uploadFlags struct {
	Connections int  `help:"Uploads at a time." default:"4"`
	NoWait      bool `help:"Don't wait until the server has looked at every image: damage that only decoding shows is not reported then."`
}

// Run sends the images of a folder.
func (c *datasetUploadCmd) Run(m *Main) error {
	if err := requireFolder(c.Folder); err != nil {
		return err
	}
	names, err := imagesBelow(c.Folder)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return remuda.Errorf(remuda.Invalid, "there are no images in %s", c.Folder).WithHint("images end in %s", strings.Join(imageExtensions(), ", "))
	}
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	report, err := m.upload(to, id, c.Folder, names, c.uploadFlags)
	if err != nil {
		return err
	}
	if c.JSON {
		err = m.printJSON(report)
	} else {
		report.print(m.Stdout)
	}
	return errors.Join(err, report.err())
}

func imageExtensions() []string {
	return []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
}

// imagesBelow lists the image files of a folder and of those in it, as sorted
// paths relative to it with forward slashes. Hidden ones are passed over.
func imagesBelow(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return remuda.Errorf(remuda.Invalid, "look for images: %w", err)
		}
		if strings.HasPrefix(d.Name(), ".") && path != folder {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || !slices.Contains(imageExtensions(), strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}

// uploadReport says what became of the files of an upload.
type uploadReport struct {
	New      int           `json:"new"`
	There    int           `json:"there"` // on the server already
	Bytes    int64         `json:"bytes"` // sent
	Seconds  float64       `json:"seconds"`
	Problems []fileProblem `json:"problems,omitempty"`
}

type fileProblem struct {
	File    string `json:"file"`
	Problem string `json:"problem"`
}

func (r *uploadReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s new, %d there already; %s sent in %s\n", count(r.New, "image"), r.There, byteCount(r.Bytes), duration(r.Seconds))
}

// err names the files that were not taken.
func (r *uploadReport) err() error {
	problems := make([]error, len(r.Problems))
	for i, p := range r.Problems {
		problems[i] = remuda.Errorf(remuda.Invalid, "%s: %s", p.File, p.Problem).WithHint("repair these files and upload the folder again: nothing else is sent twice")
	}
	return several("files can't be used", problems)
}

const (
	chunkFiles = 50       // files that are asked for and sent together
	chunkBytes = 32 << 20 // and their bytes, unless one file has more
)

// uploader sends files in chunks, several at a time.
type uploader struct {
	m       *Main
	c       *client.Client
	dataset string
	folder  string

	mu     sync.Mutex
	bar    *bar
	total  int
	done   int
	begun  time.Time
	report uploadReport
	jobs   []string
}

// upload sends files of a folder under their names. Files that can't be taken
// stand in the report; an error ends the upload, which can be repeated.
func (m *Main) upload(c *client.Client, dataset, folder string, names []string, o uploadFlags) (uploadReport, error) {
	u := &uploader{m: m, c: c, dataset: dataset, folder: folder, bar: m.newBar(), total: len(names), begun: time.Now()}
	ctx, cancel := context.WithCancelCause(m.ctx)
	defer cancel(nil)
	chunks := make(chan []string)
	var workers sync.WaitGroup
	for range max(1, o.Connections) {
		workers.Go(func() {
			for chunk := range chunks {
				if err := u.chunk(ctx, chunk); err != nil {
					cancel(err)
				}
			}
		})
	}
	for chunk := range u.chunks(names) {
		select {
		case chunks <- chunk:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(chunks)
	workers.Wait()
	if err := context.Cause(ctx); err == nil && !o.NoWait {
		cancel(u.waitForJobs(ctx))
	}
	u.bar.clear()
	u.report.Seconds = time.Since(u.begun).Seconds()
	slices.SortFunc(u.report.Problems, func(a, b fileProblem) int { return strings.Compare(a.File, b.File) })
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return u.report, u.stopped(err)
	}
	return u.report, nil
}

// stopped says how to go on.
func (u *uploader) stopped(err error) error {
	if u.m.ctx.Err() != nil {
		err = errInterrupted
	}
	stopped := remuda.Errorf(remuda.CodeOf(err), "upload: %d of %d images are safe: %w", u.report.New+u.report.There, u.total, err)
	if hint := remuda.HintOf(err); hint != "" {
		return stopped.WithHint("%s; the same command goes on where this one stopped", hint)
	}
	return stopped.WithHint("the same command goes on where this one stopped")
}

// chunks cuts the list of files.
func (u *uploader) chunks(names []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		var chunk []string
		var bytes int64
		for _, name := range names {
			var size int64
			if info, err := os.Stat(imagePath(u.folder, name)); err == nil {
				size = info.Size()
			}
			if len(chunk) == chunkFiles || len(chunk) > 0 && bytes+size > chunkBytes {
				if !yield(chunk) {
					return
				}
				chunk, bytes = nil, 0
			}
			chunk, bytes = append(chunk, name), bytes+size
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}

// chunk asks which of some files are known, and sends the others.
func (u *uploader) chunk(ctx context.Context, names []string) error {
	if ctx.Err() != nil {
		return nil
	}
	question := wire.KnownImages{Images: make([]wire.KnownImage, 0, len(names))}
	for _, name := range names {
		sum, err := sumOf(imagePath(u.folder, name))
		if err != nil {
			u.refused(name, err.Error())
			continue
		}
		question.Images = append(question.Images, wire.KnownImage{ReferenceID: name, SHA256: sum})
	}
	known, err := u.c.AddKnownImages(ctx, u.dataset, question)
	if err != nil {
		return err
	}
	var missing []client.Upload
	for i, image := range known.Images {
		if image.Status == wire.ImageSend {
			missing = append(missing, u.file(question.Images[i]))
		}
	}
	u.note(known)
	if len(missing) == 0 {
		return nil
	}
	sent, err := u.c.UploadImages(ctx, u.dataset, missing)
	if err != nil {
		return err
	}
	u.note(sent)
	return nil
}

func sumOf(path string) (string, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular(): // opening a pipe would wait for ever
		return "", errors.New("this is no file of bytes: remove it, or copy the image here")
	}
	return disk.Sum(path)
}

func (u *uploader) file(image wire.KnownImage) client.Upload {
	return client.Upload{
		UploadPart: wire.UploadPart{ReferenceID: image.ReferenceID, SHA256: image.SHA256},
		Open: func() (io.ReadCloser, error) {
			f, err := os.Open(imagePath(u.folder, image.ReferenceID))
			if err != nil {
				return nil, err
			}
			return &countedFile{f, u}, nil
		},
	}
}

// countedFile counts what is read of it as sent.
type countedFile struct {
	file *os.File
	u    *uploader
}

// Read reads on.
func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	f.u.report.Bytes += int64(n)
	return n, err
}

// Close closes the file.
func (f *countedFile) Close() error { return f.file.Close() }

func (u *uploader) refused(name, problem string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.report.Problems = append(u.report.Problems, fileProblem{name, problem})
	u.done++
}

// note counts what became of images, and shows how far the upload is.
func (u *uploader) note(added wire.AddedImages) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if added.Job != "" {
		u.jobs = append(u.jobs, added.Job)
	}
	for _, image := range added.Images {
		u.done++
		switch image.Status {
		case wire.ImageNew:
			u.report.New++
		case wire.ImageThere:
			u.report.There++
			if image.Problem != "" {
				u.report.Problems = append(u.report.Problems, fileProblem{image.ReferenceID, image.Problem})
			}
		case wire.ImageSend:
			u.done--
		case wire.ImageConflict:
			u.report.Problems = append(u.report.Problems, fileProblem{image.ReferenceID, "the dataset has another image of this name: rename the file"})
		default:
			u.report.Problems = append(u.report.Problems, fileProblem{image.ReferenceID, image.Problem})
		}
	}
	rate := float64(u.done) / time.Since(u.begun).Seconds()
	u.bar.update(float64(u.done)/float64(u.total), "uploading", fmt.Sprintf("%d of %d, %.0f a second, %s", u.done, u.total, rate, byteCount(u.report.Bytes)))
}

// waitForJobs waits until the server has looked at the images, and notes what it found wrong.
func (u *uploader) waitForJobs(ctx context.Context) error {
	for i, job := range u.jobs {
		u.bar.update(float64(i)/float64(len(u.jobs)), "looking at images", fmt.Sprintf("%d of %d", i*u.total/len(u.jobs), u.total))
		if _, err := u.c.WaitJob(ctx, job, nil); err != nil {
			return err
		}
		found, err := u.c.JobErrors(ctx, job)
		if err != nil {
			return err
		}
		for _, message := range found.Errors {
			name, problem, _ := strings.Cut(strings.TrimPrefix(message, "item "), ": ")
			u.report.Problems = append(u.report.Problems, fileProblem{name, problem})
		}
	}
	return nil
}
