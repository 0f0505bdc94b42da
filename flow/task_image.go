package flow

import (
	"context"
	"encoding/json"
	"strings"

	"remuda"
	"remuda/blob"
	"remuda/imageio"
	"remuda/label"
	"remuda/store"
)

const workTaskImage = store.WorkTaskImage

// taskRef is what the queue carries of a task.
type taskRef = store.TaskRef

const (
	fileScheme = "scaledata://"   // begins the attachments that are files: scaledata://ACCOUNT/FILE
	itemScheme = "remuda://item/" // and those that are items
)

// imageOf reads where a task's image is from, and what is known of it. Of
// several attachments the first is the one to label.
func imageOf(tx *store.Tx, item string, params Params) (image store.TaskImage, err error) {
	image = store.TaskImage{Item: item, Attachment: params.string("attachment")}
	if image.Attachment == "" && params.has("attachments") {
		image.Attachment = firstAttachment(params["attachments"])
	}
	if id, ok := strings.CutPrefix(image.Attachment, itemScheme); ok && item == "" {
		image.Item = id
	}
	switch {
	case image.Item != "":
		found, err := tx.Item(image.Item)
		if err != nil {
			return image, err
		}
		image.Blob, image.Format, image.Width, image.Height = found.Blob, found.Format, found.Width, found.Height
		if image.Attachment == "" {
			image.Attachment = itemScheme + image.Item
		}
	case strings.HasPrefix(image.Attachment, fileScheme):
		id := image.Attachment[strings.LastIndexByte(image.Attachment, '/')+1:]
		file, err := tx.File(id)
		if remuda.CodeOf(err) == remuda.NotFound {
			err = remuda.Errorf(remuda.Invalid, "there is no file %.200s", image.Attachment).WithHint("upload it first, with the same kind of key")
		}
		if err != nil {
			return image, err
		}
		image.Blob, image.Format, image.Width, image.Height = file.Blob, strings.TrimPrefix(file.MediaType, "image/"), file.Width, file.Height
		if file.Width == 0 {
			image.Blob = "" // it is no image, which the job will say
		}
	case tx.Caller.World == remuda.Test: // nobody will look at it
	case !isWeb(image.Attachment):
		return image, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"attachment\" %.200q cannot be fetched", image.Attachment).
			WithHint("give an address that begins with https:// or http://, or upload the file and give its attachment_url")
	}
	return image, nil
}

// firstAttachment reads the first of a list of URLs, or of objects that have one.
func firstAttachment(text json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil || len(list) == 0 {
		return ""
	}
	var url string
	if json.Unmarshal(list[0], &url) == nil {
		return url
	}
	var object struct {
		Attachment string `json:"attachment"`
	}
	if json.Unmarshal(list[0], &object) != nil {
		return ""
	}
	return object.Attachment
}

// runTaskImage gets a task's image, so that people can work on it. An image that
// cannot be had fails the task; what may pass is an error, and tried again.
func (f *Flow) runTaskImage(ctx context.Context, text json.RawMessage) error {
	var ref taskRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to a task: %w", err)
	}
	t, caller, err := f.anyTask(ctx, ref.Task)
	if err != nil || t.Status != label.Pending || t.Image.Blob != "" {
		return err
	}
	image, err := f.taskImage(ctx, caller, t)
	if err != nil {
		return err
	}
	if image.Err != nil {
		if remuda.CodeOf(image.Err) == remuda.Unavailable {
			return image.Err
		}
		return f.failTask(ctx, caller, t.ID, remuda.Sentence(image.Err))
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		before, err := tx.LockTask(t.ID)
		if err != nil {
			return err
		}
		t := before
		t.Image.Blob, t.Image.Format, t.Image.Width, t.Image.Height = image.Blob, image.Format, image.Width, image.Height
		return keepTask(tx, before, &t, nil)
	})
}

// anyTask reads a task of either world, for the worker, and who acts for it: nobody.
func (f *Flow) anyTask(ctx context.Context, id string) (t store.Task, caller remuda.Caller, err error) {
	for _, world := range []remuda.World{remuda.Live, remuda.Test} {
		caller = remuda.Caller{Role: remuda.Manager, World: world}
		err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
			t, err = tx.Task(id)
			return err
		})
		if remuda.CodeOf(err) != remuda.NotFound {
			break
		}
	}
	return t, caller, err
}

// taskImage gets the image that a task names and decodes it once, so that
// nobody is shown one that is broken. What is wrong with it is its Err.
func (f *Flow) taskImage(ctx context.Context, caller remuda.Caller, t store.Task) (image Image, err error) {
	url := t.Image.Attachment
	if t.Image.Item != "" {
		item, err := f.itemOf(ctx, caller, t.Image.Item)
		if err != nil {
			return Image{Err: err}, nil
		}
		if item.Blob != "" {
			return Image{Blob: item.Blob, Bytes: item.Bytes, Info: imageio.Info{Format: item.Format, Width: item.Width, Height: item.Height}}, nil
		}
		url = item.ImageURL
	}
	if !isWeb(url) {
		return Image{Err: remuda.Errorf(remuda.Invalid, "%.200s is no image", url)}, nil
	}
	if image, err = f.fetchImage(ctx, url); err != nil || image.Err != nil {
		return image, err
	}
	ref, err := blob.ParseRef(image.Blob)
	if err != nil {
		return image, err
	}
	err = f.decode(ctx, ref, func(m *imageio.RGB) error {
		_, err := f.keepThumbnail(ctx, ref, m, eagerThumbnail)
		return err
	})
	if remuda.CodeOf(err) == remuda.Invalid {
		return Image{Err: err}, nil
	}
	return image, err
}

func (f *Flow) itemOf(ctx context.Context, caller remuda.Caller, id string) (item store.Item, err error) {
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		item, err = tx.Item(id)
		return err
	})
	return item, err
}

// failTask says that a task's image cannot be had, and lets go of its unique id
// if it asked for that.
func (f *Flow) failTask(ctx context.Context, caller remuda.Caller, id, why string) error {
	_, err := f.changeTask(ctx, caller, id, func(tx *store.Tx, t store.Task, _ store.Batch) (label.Task, []label.Event, error) {
		if t.Status != label.Pending {
			return t.Task, nil, nil
		}
		params, err := readParams(t.Params)
		if err != nil {
			return t.Task, nil, err
		}
		if params.bool("clear_unique_id_on_error") {
			if err := tx.SetTaskUniqueID(t.ID, ""); err != nil {
				return t.Task, nil, err
			}
		}
		return t.Fail(why, tx.Now)
	})
	return err
}
