package flow

import (
	"bytes"
	"context"
	"errors"

	"remuda"
	"remuda/slice"
	"remuda/store"
)

// Freeze pins what a slice holds for ever: the SHA-256 of each image and the
// revision of each annotation. It returns the content hash, under which the
// blobs have the manifest. Frozen again, a slice stays as it is. An image that
// is not here yet is a conflict.
func (f *Flow) Freeze(ctx context.Context, caller remuda.Caller, id string) (hash string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return "", err
	}
	changed := errors.New("the annotations changed between the manifest and the row") // undoes the transaction
	const attempts = 5
	for range attempts {
		var manifest bytes.Buffer
		if hash, err = f.writeManifest(ctx, caller, id, &manifest); err != nil || manifest.Len() == 0 {
			return hash, err
		}
		if _, _, err := f.Blobs.Put(ctx, &manifest, int64(manifest.Len())); err != nil {
			return "", err
		}
		err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
			same, err := pin(tx, id, hash)
			if err == nil && !same {
				err = changed
			}
			return err
		})
		if !errors.Is(err, changed) {
			return hash, err
		}
	}
	return "", remuda.Errorf(remuda.Unavailable, "freeze slice %s: its annotations change all the time", id).WithHint("try again when nobody works on them")
}

// writeManifest writes what freezing a slice would pin; nothing if it is frozen.
func (f *Flow) writeManifest(ctx context.Context, caller remuda.Caller, id string, manifest *bytes.Buffer) (hash string, err error) {
	err = f.readSlice(ctx, caller, id, func(tx *store.Tx, s store.Slice) error {
		if s.Frozen != "" {
			hash = s.Frozen
			return nil
		}
		if err := tx.ImagesAreHere(s); err != nil {
			return err
		}
		pins, err := tx.Pins(s)
		if err != nil {
			return err
		}
		if hash, err = slice.ContentHash(pins); err != nil {
			return err
		}
		return slice.WriteManifest(manifest, pins)
	})
	return hash, err
}

// pin freezes a slice, if it still has the content of a hash.
func pin(tx *store.Tx, id, hash string) (same bool, err error) {
	s, err := tx.Slice(id)
	if err != nil || s.Frozen != "" {
		return s.Frozen == hash, err
	}
	if err := tx.PinSlice(s); err != nil {
		return false, err
	}
	pins, err := tx.Pins(s)
	if err != nil {
		return false, err
	}
	now, err := slice.ContentHash(pins)
	if err != nil {
		return false, err
	}
	if now != hash {
		return false, nil
	}
	return true, tx.FreezeSlice(id, hash)
}

// ReadFrozen returns at most n items of a frozen slice (0 never cuts) behind a
// position in it (-1 begins), with the annotations that it had when it was
// frozen, whatever happened since. The last item's Position is where the next
// page goes on. A slice that is not frozen is a conflict.
func (f *Flow) ReadFrozen(ctx context.Context, caller remuda.Caller, id string, after int64, n int) (rows []AnnotatedItem, err error) {
	err = f.readSlice(ctx, caller, id, func(tx *store.Tx, s store.Slice) error {
		if s.Frozen == "" {
			return remuda.Errorf(remuda.Conflict, "read slice %s as it was frozen: it is not", id).WithHint("freeze it first")
		}
		items, err := tx.SliceItemsAfter(id, after, n)
		if err != nil {
			return err
		}
		rows, err = withAnnotations(items, func(ids []string) (map[string][]store.Annotation, error) { return tx.FrozenAnnotations(id, ids) })
		return err
	})
	return rows, err
}
