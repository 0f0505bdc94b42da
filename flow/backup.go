package flow

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

// A backup is a tar file:
//
//	backup.json              BackupHeader
//	tables/000001-NAME.jsonl columns, then rows, one JSON array a line (backup_row.go)
//	files/HASH               the bytes of a blob
//	end.json                 BackupEnd: what must have come before it
const (
	backupFormat = 1
	headerEntry  = "backup.json"
	endEntry     = "end.json"
	tablesFolder = "tables/"
	filesFolder  = "files/"
)

// backupChunk is how many bytes of rows make an entry.
const backupChunk = 4 << 20

// BackupHeader begins a backup.
type BackupHeader struct {
	Format    int    `json:"format"`
	Schema    int64  `json:"schema"`     // number of the last migration
	CreatedAt string `json:"created_at"` // of the state that it holds
	Program   string `json:"program"`
}

// BackupEnd ends a backup: without it, the backup is not whole.
type BackupEnd struct {
	Rows    int64    `json:"rows"`
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`   // of the files
	Missing []string `json:"missing"` // files that rows name and that are not whole
	SHA256  string   `json:"sha256"`  // of all names, sizes and contents before
}

// Backup writes everything that the server holds, but for sessions, as of one
// moment: rows of the database and the files that they name. Admins only. The
// server may work on meanwhile.
func (f *Flow) Backup(ctx context.Context, caller remuda.Caller, w io.Writer, program string) (end BackupEnd, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return end, err
	}
	b := &backupWriter{tar: tar.NewWriter(w), sum: sha256.New(), end: BackupEnd{Missing: []string{}}}
	schema, err := f.DB.SchemaVersion(ctx)
	if err != nil {
		return end, err
	}
	var refs []string
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		header, err := json.Marshal(BackupHeader{Format: backupFormat, Schema: schema, CreatedAt: remuda.FormatTime(tx.Now), Program: program})
		if err != nil {
			return remuda.Errorf(remuda.Internal, "write the backup: %w", err)
		}
		if err := b.entry(headerEntry, header); err != nil {
			return err
		}
		if err := tx.Dump(b.table, b.row); err != nil {
			return err
		}
		if err := b.flush(); err != nil {
			return err
		}
		refs, err = tx.Blobs()
		return err
	})
	if err != nil {
		return end, err
	}
	slices.Sort(refs)
	for _, name := range refs {
		if err := f.backupFile(ctx, b, name); err != nil {
			return end, err
		}
	}
	return b.end, b.close()
}

// backupFile adds one file; one that is missing or damaged is noted.
func (f *Flow) backupFile(ctx context.Context, b *backupWriter, name string) error {
	ref, err := blob.ParseRef(name)
	if err != nil {
		b.end.Missing = append(b.end.Missing, name)
		return nil
	}
	r, err := f.Blobs.Open(ctx, ref)
	if remuda.CodeOf(err) == remuda.NotFound {
		b.end.Missing = append(b.end.Missing, name)
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	size := r.Info().Size
	if _, err := io.Copy(io.Discard, r); errors.Is(err, blob.ErrCorrupt) { // an entry can't be taken back
		b.end.Missing = append(b.end.Missing, name)
		return nil
	} else if err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return remuda.Errorf(remuda.Unavailable, "read %s again: %w", ref, err)
	}
	b.end.Files++
	b.end.Bytes += size
	return b.stream(filesFolder+name, size, r)
}

// backupWriter writes the entries of a backup.
type backupWriter struct {
	tar  *tar.Writer
	sum  hash.Hash
	end  BackupEnd
	made int

	name  string // of the table under way
	head  []byte // its line of columns
	lines bytes.Buffer
}

func (b *backupWriter) entry(name string, content []byte) error {
	return b.stream(name, int64(len(content)), bytes.NewReader(content))
}

func (b *backupWriter) stream(name string, size int64, content io.Reader) error {
	fmt.Fprintf(b.sum, "%s\n%d\n", name, size)
	return b.put(name, size, io.TeeReader(content, b.sum))
}

func (b *backupWriter) put(name string, size int64, content io.Reader) error {
	err := b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(b.tar, content)
	}
	if err != nil {
		return remuda.Errorf(remuda.Unavailable, "write the backup: %w", err).WithHint("look whether the disk has room")
	}
	return nil
}

// table begins the rows of a table.
func (b *backupWriter) table(name string, columns []string) (err error) {
	if err := b.flush(); err != nil {
		return err
	}
	b.name = name
	if b.head, err = json.Marshal(columns); err != nil {
		return remuda.Errorf(remuda.Internal, "write the backup: %w", err)
	}
	return nil
}

func (b *backupWriter) row(values []any) error {
	if b.lines.Len() == 0 {
		b.lines.Write(append(b.head, '\n'))
	}
	line, err := appendRow(b.lines.AvailableBuffer(), values)
	if err != nil {
		return err
	}
	b.lines.Write(append(line, '\n'))
	b.end.Rows++
	if b.lines.Len() >= backupChunk {
		return b.flush()
	}
	return nil
}

// flush makes an entry of the rows so far.
func (b *backupWriter) flush() error {
	if b.lines.Len() == 0 {
		return nil
	}
	b.made++
	err := b.entry(fmt.Sprintf("%s%06d-%s.jsonl", tablesFolder, b.made, b.name), b.lines.Bytes())
	b.lines.Reset()
	return err
}

func (b *backupWriter) close() error {
	b.end.SHA256 = hex.EncodeToString(b.sum.Sum(nil))
	text, err := json.Marshal(b.end)
	if err != nil {
		return remuda.Errorf(remuda.Internal, "write the backup: %w", err)
	}
	if err := b.put(endEntry, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	if err := b.tar.Close(); err != nil {
		return remuda.Errorf(remuda.Unavailable, "write the backup: %w", err)
	}
	return nil
}

// OpenBackup opens a backup at its first byte.
type OpenBackup func() (io.ReadCloser, error)

// Restore fills an empty server with a backup, of this program's or an older
// schema; the database must have the very schema of the backup's header.
// Admins only. The backup is checked as a whole before anything is written;
// a database that holds anything is a conflict.
func (f *Flow) Restore(ctx context.Context, caller remuda.Caller, open OpenBackup) (end BackupEnd, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return end, err
	}
	header, end, err := VerifyBackup(open)
	if err != nil {
		return end, err
	}
	schema, err := f.DB.SchemaVersion(ctx)
	if err != nil {
		return end, err
	}
	if schema != header.Schema {
		return end, remuda.Errorf(remuda.Conflict, "the backup has schema %d, the database %d", header.Schema, schema).WithHint("restore into an empty folder and an empty database")
	}
	err = readBackup(open, func(e backupEntry, content io.Reader) error {
		if e.kind != fileOfBackup {
			return nil
		}
		_, _, err := f.Blobs.Put(ctx, content, 0)
		return err
	})
	if err != nil {
		return end, err
	}
	return end, f.restoreRows(ctx, caller, open)
}

// restoreRows fills the tables from a backup that was checked.
func (f *Flow) restoreRows(ctx context.Context, caller remuda.Caller, open OpenBackup) error {
	next, stop := iter.Pull2(rowsOf(open))
	defer stop()
	return f.DB.Load(ctx, caller, func() (store.Rows, error) {
		rows, err, _ := next() // no table at the end
		return rows, err
	})
}

// rowsOf yields the rows of a backup, some at a time; an error is the last thing that it yields.
func rowsOf(open OpenBackup) iter.Seq2[store.Rows, error] {
	return func(yield func(store.Rows, error) bool) {
		stopped := false
		err := readBackup(open, func(e backupEntry, content io.Reader) error {
			if e.kind != rowsOfBackup {
				return nil
			}
			rows, err := readRows(e.table, content)
			if err == nil && !yield(rows, nil) {
				stopped, err = true, context.Canceled
			}
			return err
		})
		if err != nil && !stopped {
			yield(store.Rows{}, err)
		}
	}
}
