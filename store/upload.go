package store

import (
	"database/sql"
	"time"

	"remuda"
)

// Upload is a file of JSON lines that waits under a request id for the job that reads it.
type Upload struct {
	Dataset   string
	Request   string // the user's name of it
	Blob      string // SHA-256, hex; "" once it has been read
	Bytes     int64
	Job       string // "" until a job is asked for
	CreatedAt time.Time
}

func scanUpload(row rowScanner) (u Upload, err error) {
	var blob sql.NullString
	var created int64
	err = row.Scan(&u.Dataset, &u.Request, &blob, &u.Bytes, &u.Job, &created)
	u.Blob, u.CreatedAt = blob.String, fromMillis(created)
	return u, err
}

// PutUpload notes a staged file of a dataset of the caller's world, in place of
// one that no job was asked for; conflict if one was.
func (tx *Tx) PutUpload(dataset, request, blob string, bytes int64) error {
	if _, err := tx.Dataset(dataset); err != nil {
		return err
	}
	n, err := tx.exec(`INSERT INTO upload (dataset, request, blob, bytes, job, created_at) VALUES ($1, $2, $3, $4, '', $5)
		ON CONFLICT (dataset, request) DO UPDATE SET blob = $3, bytes = $4, created_at = $5 WHERE upload.job = ''`, dataset, request, blob, bytes, millis(tx.Now))
	if err == nil && n == 0 {
		return remuda.Errorf(remuda.Conflict, "upload %s is in use", request).WithHint("send the file under a new request id")
	}
	return err
}

// TakeUpload returns a staged file of a dataset of the caller's world, and
// keeps others from taking it until this transaction ends.
func (tx *Tx) TakeUpload(dataset, request string) (Upload, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return Upload{}, err
	}
	return oneUpload(tx, request,
		"UPDATE upload SET request = request WHERE dataset = $1 AND request = $2 RETURNING dataset, request, blob, bytes, job, created_at", dataset, request)
}

// Upload returns a staged file of a dataset of the caller's world.
func (tx *Tx) Upload(dataset, request string) (Upload, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return Upload{}, err
	}
	return oneUpload(tx, request, "SELECT dataset, request, blob, bytes, job, created_at FROM upload WHERE dataset = $1 AND request = $2", dataset, request)
}

func oneUpload(tx *Tx, request, query string, args ...any) (Upload, error) {
	upload, err := one(tx, "upload "+request, scanUpload, query, args...)
	if remuda.CodeOf(err) == remuda.NotFound {
		err = remuda.Errorf(remuda.NotFound, "there is no upload %s", request).WithHint("put the file to its signed URL first")
	}
	return upload, err
}

// SetUploadJob notes the job that reads a staged file.
func (tx *Tx) SetUploadJob(dataset, request, job string) error {
	_, err := tx.exec("UPDATE upload SET job = $3 WHERE dataset = $1 AND request = $2", dataset, request, job)
	return err
}

// EndUpload lets go of a staged file's bytes; that it was there is still known.
func (tx *Tx) EndUpload(dataset, request string) error {
	_, err := tx.exec("UPDATE upload SET blob = NULL WHERE dataset = $1 AND request = $2", dataset, request)
	return err
}

// ForgetUploads removes the staged files of either world that came before a time,
// but for those that a job has still to read.
func (tx *Tx) ForgetUploads(before time.Time) error {
	_, err := tx.exec("DELETE FROM upload WHERE created_at < $1 AND (job = '' OR blob IS NULL OR NOT EXISTS (SELECT 1 FROM job WHERE job.id = upload.job AND job.status IN ('waiting', 'running')))", millis(before))
	return err
}
