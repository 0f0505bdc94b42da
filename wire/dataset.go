package wire

// Dataset is a named collection of items.
type Dataset struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt Time   `json:"created_at" format:"date-time"`
	CreatedBy string `json:"created_by" doc:"Id of the user or key."`
}

// Datasets lists datasets, oldest first.
type Datasets struct {
	Datasets []Dataset `json:"datasets"`
}

// NewDataset is what a dataset is made from, or renamed by.
type NewDataset struct {
	Name string `json:"name" minLength:"1" maxLength:"500"`
}

// DatasetOverview is a dataset and what there is of it.
type DatasetOverview struct {
	Dataset
	Items      int64    `json:"items" doc:"How many items it has."`
	Categories []string `json:"categories" doc:"Those of its ground truth, sorted."`
	Slices     []string `json:"slices" doc:"Ids."`
	Runs       []string `json:"runs" doc:"Ids of the model runs that predicted on its items."`
	Tags       []string `json:"tags"`
}

// TagChange adds and removes tags.
type TagChange struct {
	Add    []string `json:"add,omitempty" maxItems:"1000"`
	Remove []string `json:"remove,omitempty" maxItems:"1000"`
}

// Tags are all tags of something, sorted.
type Tags struct {
	Tags []string `json:"tags"`
}
