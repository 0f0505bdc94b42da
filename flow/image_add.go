package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

// ImageOutcome says what became of an image that was to be added.
type ImageOutcome string

// The outcomes.
const (
	ImageNew      ImageOutcome = "new"      // an item was made of it
	ImageThere    ImageOutcome = "there"    // an item of this name with these bytes was there
	ImageSend     ImageOutcome = "send"     // its bytes are not here
	ImageConflict ImageOutcome = "conflict" // the name belongs to an item with other bytes that can be read
	ImageRefused  ImageOutcome = "refused"  // it cannot be taken
)

// NewImage is an image that is to become an item.
type NewImage struct {
	ReferenceID string
	Metadata    json.RawMessage // an object
	SHA256      string          // of its bytes, as the sender says; may be "" if Image is there
	Image       *Image          // its bytes, if they came along
}

// AddedImage is what became of an image.
type AddedImage struct {
	Item    string // id, if there is one
	Outcome ImageOutcome
	Err     error // why it was refused, or what is wrong with the one that is there
}

// AddImages makes items of images, in order; managers only. Of those that came
// without their bytes, only those are added whose bytes an item of the caller's
// world has. A job looks at what is new.
func (f *Flow) AddImages(ctx context.Context, caller remuda.Caller, dataset string, images []NewImage) (done []AddedImage, job store.Job, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, job, err
	}
	if len(images) > maxAppend {
		return nil, job, remuda.Errorf(remuda.Invalid, "add %d images: more than %d at once", len(images), maxAppend).WithHint("send them in several calls")
	}
	add := &imageAdder{dataset: dataset, images: images}
	if add.known, err = f.knownImages(ctx, caller, images); err != nil {
		return nil, job, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		job = store.Job{}
		if err = add.run(tx); err != nil || len(add.fresh) == 0 {
			return err
		}
		args := itemsArgs{Items: add.fresh, Counts: AppendCounts{New: int64(len(add.fresh))}}
		job, err = tx.NewJob(jobItems, dataset, args, int64(len(args.Items)))
		return err
	})
	return add.done, job, err
}

// knownImages finds the images that came without their bytes, by hash, and
// keeps them from being swept for a day.
func (f *Flow) knownImages(ctx context.Context, caller remuda.Caller, images []NewImage) (known map[string]Image, err error) {
	var hashes []string
	for _, image := range images {
		if image.Image == nil {
			hashes = append(hashes, image.SHA256)
		}
	}
	var items map[string]store.Item
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		items, err = tx.ItemsByBlob(hashes)
		return err
	})
	known = make(map[string]Image, len(items))
	for hash, item := range items {
		ref, err := blob.ParseRef(hash)
		if err != nil {
			return nil, err
		}
		err = f.Blobs.Touch(ctx, ref)
		if remuda.CodeOf(err) == remuda.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		image := Image{Blob: hash, Bytes: item.Bytes, PHash: item.PHash}
		image.Format, image.Width, image.Height, image.Orientation = item.Format, item.Width, item.Height, item.Orientation
		known[hash] = image
	}
	return known, err
}

// imageAdder adds images in one transaction.
type imageAdder struct {
	dataset string
	images  []NewImage
	known   map[string]Image

	done  []AddedImage
	fresh []string // ids of items whose image is to be looked at
}

func (a *imageAdder) run(tx *store.Tx) error {
	if err := tx.LockDataset(a.dataset); err != nil {
		return err
	}
	a.done, a.fresh = make([]AddedImage, len(a.images)), nil
	refs := make([]string, len(a.images))
	for i, image := range a.images {
		refs[i] = image.ReferenceID
	}
	items, err := tx.ItemsByReference(a.dataset, refs)
	if err != nil {
		return err
	}
	var rows []NewItem
	var at []int
	first := make(map[string]string) // hash by name, of those to be added
	for i, image := range a.images {
		stored, err := a.bytesOf(image)
		hash := image.SHA256
		if stored != nil {
			hash = stored.Blob
		}
		twin, twice := first[image.ReferenceID]
		switch item, exists := items[image.ReferenceID]; {
		case err != nil:
			a.done[i] = AddedImage{Outcome: ImageRefused, Err: err}
		case exists && item.Blob == hash:
			a.done[i] = AddedImage{Item: item.ID, Outcome: ImageThere, Err: damage(item)}
		case exists && item.Blob != "" && item.Problem == "":
			a.done[i] = AddedImage{Item: item.ID, Outcome: ImageConflict}
		case exists && stored != nil:
			if err := a.fill(tx, i, item, *stored); err != nil {
				return err
			}
		case twice && twin == hash:
			a.done[i].Outcome = ImageThere
		case twice:
			a.done[i].Outcome = ImageConflict
		case stored == nil:
			a.done[i].Outcome = ImageSend
		default:
			first[image.ReferenceID] = hash
			rows = append(rows, NewItem{ReferenceID: image.ReferenceID, ImageURL: image.ReferenceID, Metadata: image.Metadata, Image: stored})
			at = append(at, i)
		}
	}
	return a.add(tx, rows, at)
}

// bytesOf returns what is stored of an image, nil if nothing is; an error says
// why it cannot be taken.
func (a *imageAdder) bytesOf(image NewImage) (*Image, error) {
	if image.Image == nil {
		if stored, ok := a.known[image.SHA256]; ok {
			return &stored, nil
		}
		return nil, nil
	}
	if image.Image.Err != nil {
		return nil, image.Image.Err
	}
	if image.SHA256 != "" && image.SHA256 != image.Image.Blob {
		return nil, remuda.Errorf(remuda.Invalid, "its bytes arrived with another SHA-256 than they were sent with").WithHint("send it again")
	}
	return image.Image, nil
}

// damage says what is wrong with an item's image, nil if nothing is known to be.
func damage(item store.Item) error {
	if item.Problem == "" {
		return nil
	}
	return remuda.Errorf(remuda.Invalid, "%s", item.Problem)
}

// fill gives an item its image: its bytes were out of reach, or damaged.
func (a *imageAdder) fill(tx *store.Tx, i int, item store.Item, stored Image) error {
	if item.Blob != "" {
		switch err := tx.DropDamagedImage(item.ID); {
		case remuda.CodeOf(err) == remuda.Conflict:
			a.done[i] = AddedImage{Item: item.ID, Outcome: ImageConflict}
			return nil
		case err != nil:
			return err
		}
	}
	setImage(&item, stored)
	a.done[i] = AddedImage{Item: item.ID, Outcome: ImageNew}
	a.lookAt(item.ID, stored)
	return tx.SetImage(item)
}

// lookAt notes an item whose image nobody has looked at.
func (a *imageAdder) lookAt(item string, image Image) {
	if image.PHash == nil {
		a.fresh = append(a.fresh, item)
	}
}

// add makes the items, which stand at places of the images.
func (a *imageAdder) add(tx *store.Tx, rows []NewItem, at []int) error {
	added, err := appendRows(tx, a.dataset, rows)
	if err != nil {
		return err
	}
	for k, row := range added {
		switch {
		case row.Err != nil:
			a.done[at[k]] = AddedImage{Outcome: ImageRefused, Err: row.Err}
		case row.Outcome == store.ItemNew:
			a.done[at[k]] = AddedImage{Item: row.ID, Outcome: ImageNew}
			a.lookAt(row.ID, *rows[k].Image)
		default:
			return remuda.Errorf(remuda.Internal, "add image %s: %w", rows[k].ReferenceID, fmt.Errorf("outcome %d", row.Outcome))
		}
	}
	return nil
}
