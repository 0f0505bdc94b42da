package flow

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

const (
	maxWeights     = 10 << 30           // bytes of a file of weights
	partBytes      = 64 << 20           // of a part; a file up to this size is sent whole
	weightsFor     = 24 * time.Hour     // how long announced weights may be sent
	forgetWeights  = 7 * 24 * time.Hour // when parts of a file that never became whole are forgotten
	weightsPutPath = "/weights-upload/"
	weightsGetPath = "/weights/"
)

// NewWeights announces a file of weights.
type NewWeights struct {
	Bytes     int64
	Filename  string
	MediaType string
	SHA256    string // hex; "" if it is not known
}

// WeightsUpload says where to put a file of weights, whole or in parts.
type WeightsUpload struct {
	ID        string
	PartBytes int64    // of every part but the last
	Parts     []string // a signed path for each part; the only one takes the file as it is
}

// PresignWeights announces a model's weights and returns where to put them for a day; managers only.
func (f *Flow) PresignWeights(ctx context.Context, caller remuda.Caller, model string, n NewWeights) (u WeightsUpload, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return u, err
	}
	if err := n.check(); err != nil {
		return u, err
	}
	var made store.WeightsUpload
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Model(model); err != nil {
			return err
		}
		if err := tx.ForgetWeightsUploads(f.now().Add(-forgetWeights)); err != nil {
			return err
		}
		made, err = tx.CreateWeightsUpload(store.WeightsUpload{Model: model, Bytes: n.Bytes, PartBytes: partBytes, SHA256: strings.ToLower(n.SHA256), Filename: n.Filename, MediaType: n.MediaType})
		return err
	})
	if err != nil {
		return u, err
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return u, err
	}
	u.ID, u.PartBytes = made.ID, made.PartBytes
	for i := range made.Parts() {
		u.Parts = append(u.Parts, signer.Sign(fmt.Sprintf("%s%s/%d", weightsPutPath, made.ID, i+1), f.now().Add(weightsFor)))
	}
	return u, nil
}

func (n *NewWeights) check() error {
	if n.Bytes <= 0 || n.Bytes > maxWeights {
		return remuda.Errorf(remuda.Invalid, "announce weights of %d bytes: a file has 1 to %d", n.Bytes, int64(maxWeights))
	}
	if n.Filename = path.Base(strings.ReplaceAll(n.Filename, `\`, "/")); n.Filename == "." || n.Filename == "/" {
		n.Filename = "weights"
	}
	if err := checkText("file name", n.Filename, maxName); err != nil {
		return err
	}
	if n.MediaType == "" {
		n.MediaType = "application/octet-stream"
	}
	if err := checkText("content type", n.MediaType, maxName); err != nil {
		return err
	}
	if sum, err := hex.DecodeString(n.SHA256); n.SHA256 != "" && (err != nil || len(sum) != 32) {
		return remuda.Errorf(remuda.Invalid, "announce weights: %.80q is no SHA-256", n.SHA256).WithHint("write it as 64 hexadecimal digits, or leave it out")
	}
	return nil
}

// StoreWeights stores a part of an upload, from 1, and returns its SHA-256, hex.
// That the sender may do so is for the caller to know: the URL that
// [Flow.PresignWeights] made says so. A part may be sent again.
func (f *Flow) StoreWeights(ctx context.Context, upload string, part int, r io.Reader) (tag string, err error) {
	var u store.WeightsUpload
	find := func(tx *store.Tx) (err error) {
		u, err = tx.WeightsUpload(upload)
		return err
	}
	if err := f.DB.Write(ctx, remuda.Caller{Role: remuda.Manager}, find); err != nil {
		return "", err
	}
	if part < 1 || part > u.Parts() {
		return "", remuda.Errorf(remuda.NotFound, "there is no part %d of upload %s", part, upload)
	}
	line := &senderReader{r: r}
	ref, size, err := f.Blobs.Put(ctx, line, u.PartSize(part))
	if line.err != nil {
		return "", remuda.Errorf(remuda.Invalid, "read the weights: %w", line.err)
	}
	if err == nil && size != u.PartSize(part) {
		err = remuda.Errorf(remuda.Invalid, "part %d of upload %s has %d bytes, %d were announced", part, upload, size, u.PartSize(part)).WithHint("send it again")
	}
	if err != nil {
		return "", err
	}
	return ref.String(), f.DB.Write(ctx, remuda.Caller{Role: remuda.Manager}, func(tx *store.Tx) error {
		if err := find(tx); err != nil {
			return err
		}
		return tx.PutWeightsPart(upload, store.WeightsPart{Number: part, Blob: ref.String(), Bytes: size})
	})
}

// SentPart is a part as its sender knows it.
type SentPart struct {
	Number int
	Tag    string // what StoreWeights returned
}

// FinalizeWeights makes what was put for an upload the weights of its model,
// in place of those that it has, if all of it has come as announced; managers
// only. parts may be left out.
func (f *Flow) FinalizeWeights(ctx context.Context, caller remuda.Caller, model, upload string, parts []SentPart) (w store.Weights, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return w, err
	}
	var u store.WeightsUpload
	var come []store.WeightsPart
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Model(model); err != nil {
			return err
		}
		if u, err = tx.WeightsUpload(upload); err != nil {
			return err
		}
		if u.Model != model {
			return remuda.Errorf(remuda.NotFound, "there is no upload %s", upload)
		}
		come, err = tx.WeightsParts(upload)
		return err
	})
	if err != nil {
		return w, err
	}
	if err := complete(&u, come, parts); err != nil {
		return w, err
	}
	ref, err := f.joinParts(ctx, &u, come)
	if err != nil {
		return w, err
	}
	if u.SHA256 != "" && u.SHA256 != ref.String() {
		return w, remuda.Errorf(remuda.Invalid, "the weights have the SHA-256 %s, %s was announced", ref, u.SHA256).WithHint("send the file again")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockModel(model); err != nil {
			return err
		}
		w, err = tx.PutWeights(store.Weights{Model: model, Blob: ref.String(), Bytes: u.Bytes, Filename: u.Filename, MediaType: u.MediaType})
		if err != nil {
			return err
		}
		return tx.DeleteWeightsUpload(upload)
	})
	return w, err
}

// complete says what of an upload has not come as it should.
func complete(u *store.WeightsUpload, come []store.WeightsPart, sent []SentPart) error {
	if len(come) != u.Parts() {
		return remuda.Errorf(remuda.Conflict, "finish upload %s: %d of %d parts have come", u.ID, len(come), u.Parts()).WithHint("put the others to their URLs first")
	}
	for _, part := range sent {
		if part.Number < 1 || part.Number > len(come) || part.Tag != "" && strings.Trim(part.Tag, `"`) != come[part.Number-1].Blob {
			return remuda.Errorf(remuda.Invalid, "finish upload %s: part %d is not the one that came", u.ID, part.Number).WithHint("put it to its URL again")
		}
	}
	return nil
}

// joinParts returns a blob of all parts, one after the other.
func (f *Flow) joinParts(ctx context.Context, u *store.WeightsUpload, come []store.WeightsPart) (blob.Ref, error) {
	if len(come) == 1 {
		return blob.ParseRef(come[0].Blob)
	}
	out, in := io.Pipe()
	defer out.Close()
	go func() {
		for _, part := range come {
			if err := f.copyBlob(ctx, in, part.Blob); err != nil {
				in.CloseWithError(err)
				return
			}
		}
		in.Close()
	}()
	ref, size, err := f.Blobs.Put(ctx, out, maxWeights)
	if err == nil && size != u.Bytes {
		err = remuda.Errorf(remuda.Internal, "finish upload %s: its parts have %d bytes together, not %d", u.ID, size, u.Bytes)
	}
	return ref, err
}

func (f *Flow) copyBlob(ctx context.Context, w io.Writer, hash string) error {
	ref, err := blob.ParseRef(hash)
	if err != nil {
		return err
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return errors.Join(err, file.Close())
}

// Weights returns what is known of a model's weights; nil if it has none.
func (f *Flow) Weights(ctx context.Context, caller remuda.Caller, model string) (*store.Weights, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found *store.Weights, err error) {
		if _, err := tx.Model(model); err != nil {
			return found, err
		}
		w, err := tx.Weights(model)
		if remuda.CodeOf(err) == remuda.NotFound {
			return nil, nil
		}
		return &w, err
	})
}

// WeightsURL returns the path of a model's weights, with what authorises
// whoever has it to read them for a day or two.
func (f *Flow) WeightsURL(ctx context.Context, w store.Weights) (string, error) {
	return f.BlobURL(ctx, weightsGetPath+w.Model+"/"+w.Blob+"/"+url.PathEscape(w.Filename))
}

// OpenWeights returns the bytes of a model's weights: for those whose URL
// authorises them. The caller closes it.
func (f *Flow) OpenWeights(ctx context.Context, model, hash string) (*blob.Reader, store.Weights, error) {
	var w store.Weights
	err := f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		w, err = tx.WeightsFile(model, hash)
		return err
	})
	if err != nil {
		return nil, w, err
	}
	ref, err := blob.ParseRef(w.Blob)
	if err != nil {
		return nil, w, err
	}
	file, err := f.Blobs.Open(ctx, ref)
	return file, w, err
}

// DeleteWeights takes a model's weights away and says whether it had any; managers only.
func (f *Flow) DeleteWeights(ctx context.Context, caller remuda.Caller, model string) (bool, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (had bool, err error) {
		if err := tx.LockModel(model); err != nil {
			return had, err
		}
		if had, err = tx.DeleteWeights(model); err != nil || !had {
			return had, err
		}
		return had, tx.Audit("weights.delete", model, "")
	})
}
