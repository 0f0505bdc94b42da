package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/internal/disk"
	"remuda/store"
)

type backupCmd struct {
	place
	Bucket string `help:"Bucket or folder of the images, as the server has it." env:"REMUDA_BUCKET" placeholder:"URL"`
	File   string `arg:"" help:"File to write, a tar."`
}

// Run writes a backup, beside a running server too, and reads it again before
// it gets its name.
func (c *backupCmd) Run(m *Main) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	f, done, err := c.openDatabase(m.ctx, false)
	if err != nil {
		return err
	}
	defer done()
	if f.Blobs, err = blob.OpenURL(m.ctx, bucketOr(c.Bucket, dir)); err != nil {
		return err
	}
	defer f.Blobs.Close()
	var end flow.BackupEnd
	err = disk.ReplacePrivate(c.File, func(w io.Writer) error {
		end, err = c.write(m, f, w)
		return err
	})
	if err != nil {
		return failedFile("write the backup", err)
	}
	fmt.Fprintf(m.Stdout, "backed up %d rows and %s (%s), and read them again\n", end.Rows, count(int(end.Files), "file"), byteCount(end.Bytes))
	if len(end.Missing) > 0 {
		return startedError{remuda.Errorf(remuda.Internal, "%s missing or damaged where the server keeps its files: %v", count(len(end.Missing), "file"), end.Missing[:min(5, len(end.Missing))]).
			WithHint("everything else is in %s; send these images again, or restore them from an older backup", c.File)}
	}
	return nil
}

// write writes and verifies.
func (c *backupCmd) write(m *Main, f *flow.Flow, w io.Writer) (end flow.BackupEnd, err error) {
	out := bufio.NewWriterSize(w, 1<<20)
	end, err = f.Backup(m.ctx, flow.Local(remuda.Live), out, version)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return end, err
	}
	file, ok := w.(io.ReadSeeker)
	if !ok {
		return end, remuda.Errorf(remuda.Internal, "a %T can't be read again", w)
	}
	_, err2 := file.Seek(0, io.SeekStart)
	if err2 != nil {
		return end, err2
	}
	_, _, err = flow.VerifyBackup(func() (io.ReadCloser, error) { return io.NopCloser(bufio.NewReaderSize(file, 1<<20)), nil })
	return end, err
}

// bucketOr returns where the files of a server are.
func bucketOr(bucket, dir string) string {
	if bucket == "" {
		return filepath.Join(dir, filesFolder)
	}
	return bucket
}

// failedFile gives a failure of the file system a code and a hint.
func failedFile(what string, err error) error {
	if remuda.HintOf(err) != "" {
		return err
	}
	return remuda.Errorf(remuda.Unavailable, "%s: %w", what, err).WithHint("look whether the folder is there, may be written to and has room")
}

type restoreCmd struct {
	place
	files
	File string `arg:"" help:"File that remuda backup wrote."`
}

// Run fills an empty place with a backup.
func (c *restoreCmd) Run(m *Main) error {
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, remuda.Errorf(remuda.NotFound, "open the backup: %w", err).WithHint("name a file that `remuda backup` wrote")
		}
		return buffered{bufio.NewReaderSize(f, 1<<20), f}, nil
	}
	header, _, err := flow.VerifyBackup(open)
	if err != nil {
		return err
	}
	newest, err := store.NewestSchema()
	if err != nil {
		return err
	}
	if header.Schema > newest {
		return remuda.Errorf(remuda.Conflict, "the backup has schema %d, this program knows %d", header.Schema, newest).WithHint("restore with remuda %s or a newer one", header.Program)
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	release, err := lock(dir)
	if err != nil {
		return err
	}
	defer release()
	end, err := c.fill(m, dir, header.Schema, open)
	if err != nil {
		return err
	}
	if err := c.finish(m, dir); err != nil {
		return err
	}
	made, _ := time.Parse(time.RFC3339, header.CreatedAt) // we wrote it
	fmt.Fprintf(m.Stdout, "restored %d rows and %s (%s), as of %s\n", end.Rows, count(int(end.Files), "file"), byteCount(end.Bytes), made.Local().Format("2006-01-02 15:04:05"))
	return nil
}

// buffered reads a file in large pieces.
type buffered struct {
	io.Reader
	io.Closer
}

// fill restores into tables of the backup's own schema.
func (c *restoreCmd) fill(m *Main, dir string, schema int64, open flow.OpenBackup) (flow.BackupEnd, error) {
	h, err := c.openHostAt(m.ctx, dir, c.files, m.logger(), 0, schema)
	if err != nil {
		return flow.BackupEnd{}, err
	}
	defer h.Close()
	return h.flow.Restore(m.ctx, flow.Local(remuda.Live), open)
}

// finish brings the tables up to this program's schema, and looks whether they open.
func (c *restoreCmd) finish(m *Main, dir string) error {
	h, err := c.openHost(m.ctx, dir, c.files, m.logger(), 0)
	if err != nil {
		return err
	}
	h.Close()
	return nil
}
