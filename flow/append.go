package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"remuda"
	"remuda/store"
)

const (
	maxReferenceID = 1000    // bytes: PostgreSQL's indexes take no more than some 2,700
	maxImageURL    = 8000    // bytes
	maxMetadata    = 1 << 20 // bytes of one item's
	maxAppend      = 10_000  // items of one call
)

// NewItem is what an item is made from.
type NewItem struct {
	ReferenceID   string
	ImageURL      string          // where the image is to be fetched, or the path that the sent file had
	Metadata      json.RawMessage // an object
	Width, Height int             // of the upright image, as the user says; 0 if they don't
	Update        bool            // replace the metadata of an item that has this reference id
	Image         *Image          // its bytes, if they came along
	Embedding     *ItemEmbedding  // its vector in an index that there is, if the user has one
}

// AppendedItem is what became of one item.
type AppendedItem struct {
	store.AddedItem
	Err error // why it was not taken; nothing else is set then
}

// Appended is what became of items, in order, and the job that fetches and
// looks at their images.
type Appended struct {
	Items []AppendedItem
	Job   store.Job
}

// AppendCounts says how many items met which end.
type AppendCounts struct {
	New     int64 `json:"new_items"`
	Updated int64 `json:"updated_items"`
	Ignored int64 `json:"ignored_items"`
	Errors  int64 `json:"upload_errors"`
}

func (c *AppendCounts) add(item AppendedItem) {
	switch {
	case item.Err != nil:
		c.Errors++
	case item.Outcome == store.ItemNew:
		c.New++
	case item.Outcome == store.ItemUpdated:
		c.Updated++
	default:
		c.Ignored++
	}
}

// Counts counts the items by what became of them.
func (a *Appended) Counts() (c AppendCounts) {
	for _, item := range a.Items {
		c.add(item)
	}
	return c
}

// remote says whether an image is to be fetched from somewhere else.
func remote(url string) bool {
	scheme, _, found := strings.Cut(url, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "s3", "gs":
		return found
	}
	return false
}

// IsRemote says whether an item's image URL names a place to fetch it from, and
// not the path that the sent file had.
func IsRemote(item store.Item) bool { return remote(item.ImageURL) }

// check says why an item can't be taken; nil if it can.
func (n *NewItem) check(d store.Dataset) error {
	if err := checkText("reference_id", n.ReferenceID, maxReferenceID); err != nil {
		return err
	}
	if n.Image != nil && n.Image.Err != nil {
		return fmt.Errorf("image of item %s: %w", n.ReferenceID, n.Image.Err)
	}
	if err := checkText("image_url", n.ImageURL, maxImageURL); err != nil {
		return fmt.Errorf("item %s: %w", n.ReferenceID, err)
	}
	if n.Image == nil && !remote(n.ImageURL) {
		return remuda.Errorf(remuda.Invalid, "item %s: its image_url %.200q is no http, https, s3 or gs URL", n.ReferenceID, n.ImageURL).WithHint("send local files as files")
	}
	if d.PrivacyMode && n.Image == nil && (n.Width < 1 || n.Height < 1) {
		return remuda.Errorf(remuda.Invalid, "item %s: it has no width and height, and in privacy mode its image is not looked at", n.ReferenceID).WithHint("send width and height with it")
	}
	if err := checkObject(n.Metadata); err != nil {
		return fmt.Errorf("item %s: metadata: %w", n.ReferenceID, err)
	}
	return nil
}

// checkText says whether a text can be kept under a name.
func checkText(name, text string, most int) error {
	if text == "" || len(text) > most || strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return remuda.Errorf(remuda.Invalid, "a %s has 1 to %d bytes of UTF-8, and none of them zero", name, most)
	}
	return nil
}

// checkObject says whether JSON is an object, or nothing.
func checkObject(text json.RawMessage) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	if len(text) > maxMetadata {
		return remuda.Errorf(remuda.Invalid, "it has %d bytes, more than %d", len(text), maxMetadata)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return remuda.Errorf(remuda.Invalid, "it must be an object: %w", err)
	}
	return nil
}

// row is the item as it is stored.
func (n *NewItem) row() store.Item {
	item := store.Item{ReferenceID: n.ReferenceID, ImageURL: n.ImageURL, Metadata: n.Metadata, Width: n.Width, Height: n.Height}
	if string(n.Metadata) == "null" {
		item.Metadata = nil
	}
	if n.Image != nil {
		setImage(&item, *n.Image)
	}
	return item
}

// setImage writes what is known of a stored image.
func setImage(item *store.Item, image Image) {
	item.Blob, item.Bytes, item.PHash, item.Problem = image.Blob, image.Bytes, image.PHash, ""
	item.Format, item.Width, item.Height, item.Orientation = image.Format, image.Width, image.Height, image.Orientation
}

// AppendItems adds items to a dataset, in order; managers only. Items that can't be
// taken are left out, and say why. Images that came along are there when it
// returns; a job fetches the others.
func (f *Flow) AppendItems(ctx context.Context, caller remuda.Caller, dataset string, items []NewItem) (done Appended, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return done, err
	}
	if len(items) > maxAppend {
		return done, remuda.Errorf(remuda.Invalid, "append %d items: more than %d at once", len(items), maxAppend).WithHint("send them in several calls")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if done.Items, err = appendRows(tx, dataset, items); err != nil {
			return err
		}
		args := newItemsArgs(done)
		done.Job, err = tx.NewJob(jobItems, dataset, args, int64(len(args.Items)))
		return err
	})
	return done, err
}

// appendRows adds the rows of items that can be taken.
func appendRows(tx *store.Tx, dataset string, items []NewItem) ([]AppendedItem, error) {
	d, err := tx.Dataset(dataset)
	if err != nil {
		return nil, err
	}
	if d.IsScene {
		return nil, remuda.Errorf(remuda.Invalid, "dataset %s has scenes: items can't be added to it", dataset).WithHint("make a dataset with is_scene false")
	}
	vectors, err := takeVectors(tx, dataset, items)
	if err != nil {
		return nil, err
	}
	done := make([]AppendedItem, len(items))
	var run []int // items that are alike in Update, one after the other
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		rows := make([]store.Item, len(run))
		for i, at := range run {
			rows[i] = items[at].row()
		}
		added, err := tx.AddItems(dataset, rows, items[run[0]].Update)
		if err != nil {
			return err
		}
		for i, at := range run {
			done[at].AddedItem = added[i]
			vectors.add(items[at], added[i])
		}
		run = run[:0]
		return nil
	}
	for i := range items {
		if done[i].Err = items[i].check(d); done[i].Err == nil {
			done[i].Err = vectors.check(items[i])
		}
		if done[i].Err != nil {
			continue
		}
		if len(run) > 0 && items[run[0]].Update != items[i].Update {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		run = append(run, i)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return done, vectors.write(tx)
}

// itemPayload is an item as a line of a staged upload has it.
type itemPayload struct {
	ReferenceID string          `json:"reference_id"`
	ImageURL    string          `json:"image_url"`
	Metadata    json.RawMessage `json:"metadata"`
	Width       int             `json:"width"`
	Height      int             `json:"height"`
	Embedding   *ItemEmbedding  `json:"embedding_info"`
}

// readLine reads an item of a staged upload.
func readLine(n int64, line []byte, update bool) (NewItem, error) {
	var p itemPayload
	if err := json.Unmarshal(line, &p); err != nil {
		return NewItem{}, remuda.Errorf(remuda.Invalid, "read line %d of the upload: %w", n+1, err)
	}
	return NewItem{ReferenceID: p.ReferenceID, ImageURL: p.ImageURL, Metadata: p.Metadata, Width: p.Width, Height: p.Height, Embedding: p.Embedding, Update: update}, nil
}

// soonUpload is the size in bytes up to which the items of a staged upload are
// there before its job is: people use them at once.
const soonUpload = 4 << 20

// AppendUpload adds the items of a staged upload to a dataset, a large one's
// by its job; managers only. Asked again for the same upload, it returns the same job.
func (f *Flow) AppendUpload(ctx context.Context, caller remuda.Caller, dataset, request string, update bool) (store.Job, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return store.Job{}, err
	}
	soon, err := f.readSoon(ctx, caller, dataset, request, update)
	if err != nil {
		return store.Job{}, err
	}
	return f.uploadJob(ctx, caller, dataset, request, jobItems, func(tx *store.Tx, upload store.Upload) (any, int64, error) {
		if soon == nil {
			_, err := appendRows(tx, dataset, nil) // may anything be added?
			return itemsArgs{Upload: request, Update: update}, 0, err
		}
		rows, err := appendRows(tx, dataset, soon.items)
		if err != nil {
			return nil, 0, err
		}
		args := newItemsArgs(Appended{Items: rows})
		args.Refused = append(soon.refused, args.Refused...)
		args.Counts.Errors += int64(len(soon.refused))
		return args, int64(len(args.Items)), tx.EndUpload(dataset, request)
	})
}

// soonItems are those of a small upload.
type soonItems struct {
	items   []NewItem
	refused []string
}

// readSoon reads a staged upload if it is small and no job has it.
func (f *Flow) readSoon(ctx context.Context, caller remuda.Caller, dataset, request string, update bool) (*soonItems, error) {
	var upload store.Upload
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		upload, err = tx.Upload(dataset, request)
		return err
	})
	if err != nil || upload.Job != "" || upload.Bytes > soonUpload {
		return nil, err
	}
	soon := &soonItems{}
	err = f.eachLine(ctx, caller, dataset, request, func(n int64, line []byte) error {
		item, err := readLine(n, line, update)
		if err != nil {
			soon.refused = append(soon.refused, remuda.Sentence(err))
			return nil
		}
		soon.items = append(soon.items, item)
		return nil
	})
	return soon, err
}
