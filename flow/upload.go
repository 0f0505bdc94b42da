package flow

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

const (
	maxUpload     = 1 << 29 // bytes of a staged file: a little more than the client's own limit
	maxUploadLine = 16 << 20
	maxRequestID  = 128
	uploadFor     = 24 * time.Hour      // how long a staged file may be sent
	uploadsFor    = 14 * 24 * time.Hour // how long its request id is remembered
	uploadPath    = "/upload/"
)

// UploadURL returns the path, with what authorises it, under which a file for a
// dataset can be put for a day; managers only.
func (f *Flow) UploadURL(ctx context.Context, caller remuda.Caller, dataset, request string) (string, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return "", err
	}
	if request == "" || len(request) > maxRequestID || strings.ContainsRune(request, 0) {
		return "", remuda.Errorf(remuda.Invalid, "a request id has 1 to %d bytes", maxRequestID)
	}
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		_, err := tx.Dataset(dataset)
		return err
	})
	if err != nil {
		return "", err
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return "", err
	}
	path := uploadPath + string(caller.World) + "/" + dataset + "/" + url.PathEscape(request)
	return signer.Sign(path, f.now().Add(uploadFor)), nil
}

// StageUpload stores a file under a request id, for a job to read. That the
// sender may do so is for the caller to know: the URL that [Flow.UploadURL] made says so.
func (f *Flow) StageUpload(ctx context.Context, world remuda.World, dataset, request string, r io.Reader) error {
	line := &senderReader{r: r}
	ref, size, err := f.Blobs.Put(ctx, line, maxUpload)
	if line.err != nil {
		return remuda.Errorf(remuda.Invalid, "read the upload: %w", line.err)
	}
	if err != nil {
		return err
	}
	return f.DB.Write(ctx, remuda.Caller{Role: remuda.Manager, World: world}, func(tx *store.Tx) error {
		return tx.PutUpload(dataset, request, ref.String(), size)
	})
}

// uploadJob makes the job that reads a staged file. Asked again for the same
// file, it returns the job that there is. args gets the file and returns the
// job's arguments and number of steps; both stand in the file's transaction.
func (f *Flow) uploadJob(ctx context.Context, caller remuda.Caller, dataset, request, kind string, args func(tx *store.Tx, upload store.Upload) (any, int64, error)) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		upload, err := tx.TakeUpload(dataset, request)
		if err != nil {
			return job, err
		}
		if upload.Job != "" {
			return tx.Job(upload.Job)
		}
		a, total, err := args(tx, upload)
		if err != nil {
			return job, err
		}
		if job, err = tx.NewJob(kind, dataset, a, total); err != nil {
			return job, err
		}
		return job, tx.SetUploadJob(dataset, request, job.ID)
	})
}

// eachLine hands every line of a staged file to do, numbered from 0; empty
// lines are left out and not counted. The line is do's only until it returns.
func (f *Flow) eachLine(ctx context.Context, caller remuda.Caller, dataset, request string, do func(n int64, line []byte) error) error {
	var upload store.Upload
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		upload, err = tx.Upload(dataset, request)
		return err
	})
	if err != nil {
		return err
	}
	if upload.Blob == "" {
		return remuda.Errorf(remuda.Conflict, "upload %s has been read already", request).WithHint("send the file under a new request id")
	}
	ref, err := blob.ParseRef(upload.Blob)
	if err != nil {
		return err
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer file.Close()
	return lines(file, do)
}

// lines hands the lines of r that aren't empty to do.
func lines(r io.Reader, do func(n int64, line []byte) error) error {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 64<<10), maxUploadLine)
	for n := int64(0); scan.Scan(); {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := do(n, line); err != nil {
			return err
		}
		n++
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		return remuda.Errorf(remuda.Invalid, "a line of the upload has more than %d bytes", maxUploadLine)
	}
	return scan.Err()
}

// endUpload lets go of a staged file's bytes.
func (f *Flow) endUpload(ctx context.Context, caller remuda.Caller, dataset, request string) error {
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error { return tx.EndUpload(dataset, request) })
}

// Tidy removes what nothing refers to any more: staged files that were
// forgotten and blobs older than a day. It is to be called now and then, by one
// process.
func (f *Flow) Tidy(ctx context.Context) (blob.Swept, error) {
	now := f.now()
	err := f.DB.Write(ctx, remuda.Caller{}, func(tx *store.Tx) error { return tx.ForgetUploads(now.Add(-uploadsFor)) })
	if err != nil {
		return blob.Swept{}, err
	}
	keep := func(ref blob.Ref) (used bool, err error) {
		err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) error {
			used, err = tx.BlobUsed(ref.String())
			return err
		})
		return used, err
	}
	return f.Blobs.Sweep(ctx, keep, now.Add(-24*time.Hour))
}
