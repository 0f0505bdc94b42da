package wire

// Slice is a named set of a dataset's items, or of annotations on them.
type Slice struct {
	ID          string   `json:"id"`
	Dataset     string   `json:"dataset"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Type        string   `json:"type" doc:"dataset_item, or object for a slice of annotations."`
	Frozen      string   `json:"frozen,omitempty" doc:"Content hash; absent while the slice can change."`
	Members     int64    `json:"members"`
	Tags        []string `json:"tags"`
	CreatedAt   Time     `json:"created_at" format:"date-time"`
	CreatedBy   string   `json:"created_by" doc:"Id of the user or key."`
}

// Slices lists slices, oldest first.
type Slices struct {
	Slices []Slice `json:"slices"`
}

// Choice says what a slice is to hold: what is listed, else what a set
// operation on slices gives, else what a filter chooses, else the whole
// dataset. A sample then takes a part of it.
type Choice struct {
	References []string     `json:"references,omitempty" maxItems:"10000" doc:"The user's names of items."`
	Items      []string     `json:"items,omitempty" maxItems:"10000" doc:"Ids of items."`
	Objects    []string     `json:"objects,omitempty" maxItems:"10000" doc:"Ids of annotations and predictions."`
	Combine    *Combination `json:"combine,omitempty"`
	Filter     string       `json:"filter,omitempty" maxLength:"10000" doc:"In the filter language."`
	Level      string       `json:"level,omitempty" enum:"item,box" default:"item" doc:"What the filter chooses."`
	Within     string       `json:"within,omitempty" doc:"The slice that the filter looks at; left out, the dataset."`
	All        bool         `json:"all,omitempty" doc:"The whole dataset."`
	Sample     *Sample      `json:"sample,omitempty"`
}

// Combination is a set operation: the first slice with each of the others in turn.
type Combination struct {
	Op     string   `json:"op" enum:"union,intersection,difference"`
	Slices []string `json:"slices" minItems:"1" maxItems:"100" doc:"Ids."`
}

// Sample takes a part of what was chosen.
type Sample struct {
	Size       int    `json:"size" minimum:"0"`
	Seed       uint64 `json:"seed,omitempty" doc:"The same seed takes the same part of the same items."`
	ByCategory bool   `json:"by_category,omitempty" doc:"Categories keep their share."`
	Distinct   bool   `json:"distinct,omitempty" doc:"The images that differ most by their perceptual hash; the seed has no meaning."`
}

// NewSlice is what a slice is made from.
type NewSlice struct {
	Name        string `json:"name" minLength:"1" maxLength:"500"`
	Description string `json:"description,omitempty" maxLength:"10000"`
	Choice      Choice `json:"choice"`
}

// SliceChange changes a slice's name and description.
type SliceChange struct {
	Name        string `json:"name" minLength:"1" maxLength:"500"`
	Description string `json:"description,omitempty" maxLength:"10000"`
}

// MemberChange says how many members a change added or removed.
type MemberChange struct {
	Added   int   `json:"added"`
	Removed int64 `json:"removed"`
}

// Frozen is the content hash of a frozen slice.
type Frozen struct {
	Hash string `json:"hash" doc:"SHA-256, hex, over the images' hashes and the annotations' revisions."`
}

// DuplicateGroup is an image with others that are nearly the same.
type DuplicateGroup struct {
	Keep   ItemName   `json:"keep"`
	Others []ItemName `json:"others"`
}

// ItemName is an item's id and what the user calls it.
type ItemName struct {
	ID          string `json:"id"`
	ReferenceID string `json:"reference_id"`
}

// Duplicates lists near-duplicates of a dataset.
type Duplicates struct {
	Groups []DuplicateGroup `json:"groups"`
}
