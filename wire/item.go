package wire

import "encoding/json"

// Item is one image of a dataset.
type Item struct {
	ID          string          `json:"id"`
	Dataset     string          `json:"dataset"`
	ReferenceID string          `json:"reference_id" doc:"The user's name of it, unique within the dataset."`
	File        string          `json:"file" doc:"What label files call it: the reference id, where that can name a file."`
	SHA256      string          `json:"sha256,omitempty" doc:"Of the image's bytes, hex; absent until they are here."`
	Problem     string          `json:"problem,omitempty" doc:"Why the image is not here or cannot be read."`
	Format      string          `json:"format,omitempty" doc:"jpeg, png, webp, gif, bmp or tiff."`
	Bytes       int64           `json:"bytes,omitempty"`
	Width       int             `json:"width,omitempty" doc:"Pixels of the upright image."`
	Height      int             `json:"height,omitempty"`
	Orientation int             `json:"orientation,omitempty" doc:"EXIF's, 1 to 8."`
	Metadata    json.RawMessage `json:"metadata" doc:"An object."`
	Revision    int64           `json:"revision" doc:"Counts the changes of its ground truth; a change names the one it was made on."`
	ImageURL    string          `json:"image_url,omitempty" doc:"Path that gives the image to whoever has it, for a day or two."`
	Thumbnail   string          `json:"thumbnail_url,omitempty" doc:"Path of a smaller version, its longer side 256 pixels."`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	CreatedBy   string          `json:"created_by" doc:"Id of the user or key."`
	UpdatedAt   Time            `json:"updated_at" format:"date-time"`

	Annotations []Annotation `json:"annotations,omitempty" doc:"Its ground truth, where it was asked for."`
}

// Items is a page of items.
type Items struct {
	Items []Item `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}

// Count is how many there are.
type Count struct {
	Count int64 `json:"count"`
}

// KnownImage names an image file by its content.
type KnownImage struct {
	ReferenceID string          `json:"reference_id" minLength:"1" maxLength:"1000"`
	SHA256      string          `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the file's bytes."`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"An object, for a new item."`
}

// KnownImages asks which images need not be sent.
type KnownImages struct {
	Images []KnownImage `json:"images" maxItems:"1000"`
}

// What becomes of an image that is to be added.
const (
	ImageNew      = "new"      // an item was made of it
	ImageThere    = "there"    // an item of this name with these bytes was there
	ImageSend     = "send"     // its bytes are not here: send them
	ImageConflict = "conflict" // the name belongs to an item with other bytes
	ImageRefused  = "refused"  // it cannot be taken, see the problem
)

// AddedImage says what became of an image.
type AddedImage struct {
	ReferenceID string `json:"reference_id"`
	Item        string `json:"item,omitempty" doc:"Id of the item, if there is one."`
	Status      string `json:"status" enum:"new,there,send,conflict,refused"`
	Problem     string `json:"problem,omitempty" doc:"Why it was refused, or what is wrong with the one that is there."`
}

// AddedImages says what became of images, in the order in which they were sent.
type AddedImages struct {
	Images []AddedImage `json:"images"`
	Job    string       `json:"job,omitempty" doc:"Id of the job that looks at them."`
}

// UploadPart is the part "item" of an upload, which stands before the part
// "image" with the file's bytes.
type UploadPart struct {
	ReferenceID string          `json:"reference_id" doc:"The name of the new item."`
	SHA256      string          `json:"sha256,omitempty" doc:"Of the bytes; an image that arrives with others is refused."`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"An object."`
}

// Metadata sets keys of an item's metadata and leaves the others.
type Metadata struct {
	Metadata json.RawMessage `json:"metadata" doc:"An object."`
}
