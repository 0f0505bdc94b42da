package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/imageio"
	"remuda/store"
)

// workItemImage is the kind of work that looks at the image of an item that was
// made of a task.
const workItemImage = "itemImage"

// itemRef is what the queue carries of an item.
type itemRef struct {
	World remuda.World `json:"world"`
	Item  string       `json:"item"`
}

// itemOfTask returns the item whose ground truth a task's result is: the one
// that the task names, else one with its image in the project's dataset, which
// is made if it is missing; "" if the project has no dataset.
func itemOfTask(tx *store.Tx, t store.Task) (string, error) {
	if t.Image.Item != "" || t.Image.Blob == "" {
		return t.Image.Item, nil
	}
	p, err := tx.Project(t.ProjectID)
	if err != nil || p.Dataset == "" {
		return "", err
	}
	item, err := itemOfImage(tx, p.Dataset, t)
	if err != nil || item == "" {
		return "", err
	}
	return item, tx.SetTaskItem(t.ID, item)
}

// itemOfImage finds the item of a dataset that has a task's image under the
// task's name, or makes one. "" if the dataset is gone or takes no such item: that
// is no reason to refuse what somebody has drawn.
func itemOfImage(tx *store.Tx, dataset string, t store.Task) (string, error) {
	name := cmp.Or(t.UniqueID, t.Image.Attachment, t.ID)
	there, err := tx.ItemsByReference(dataset, []string{name})
	if err != nil {
		return "", err
	}
	if item, taken := there[name]; taken && item.Blob == t.Image.Blob {
		return item.ID, nil
	} else if taken {
		name = t.ID
	}
	image := Image{Blob: t.Image.Blob, Info: imageio.Info{Format: t.Image.Format, Width: t.Image.Width, Height: t.Image.Height}}
	added, err := appendRows(tx, dataset, []NewItem{{ReferenceID: name, ImageURL: t.Image.Attachment, Metadata: t.Metadata, Image: &image}})
	if code := remuda.CodeOf(err); code == remuda.NotFound || code == remuda.Invalid {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if added[0].Err != nil {
		return "", nil
	}
	return added[0].ID, tx.Enqueue(workItemImage, itemRef{t.World, added[0].ID}, time.Time{})
}

// runItemImage notes what there is to know of an item's image: its bytes, how it
// lies, its perceptual hash.
func (f *Flow) runItemImage(ctx context.Context, text json.RawMessage) error {
	var ref itemRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to an item: %w", err)
	}
	caller := remuda.Caller{Role: remuda.Manager, World: ref.World}
	item, err := f.itemOf(ctx, caller, ref.Item)
	if remuda.CodeOf(err) == remuda.NotFound || err == nil && (item.Blob == "" || item.PHash != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.probeItem(ctx, &item); err != nil {
		return err
	}
	if err := f.lookAtItem(ctx, &item); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error { return tx.SetImage(item) })
}

// probeItem reads the header of an item's image.
func (f *Flow) probeItem(ctx context.Context, item *store.Item) error {
	ref, err := blob.ParseRef(item.Blob)
	if err != nil {
		return err
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := imageio.ProbeReader(&headed{rest: file}, file.Info().Size)
	if err != nil {
		return nil // lookAtItem will say what is wrong
	}
	setImage(item, Image{Info: info, Blob: item.Blob, Bytes: file.Info().Size})
	return nil
}
