package remuda

import "remuda/geom"

// Dataset is a set of images with their annotations, as it is read from label
// files or taken from a frozen slice. Items, categories and annotations refer
// to each other by id; ids of one kind are unique.
type Dataset struct {
	Categories  []Category   `json:"categories"` // in ascending order of id; a model's outputs follow this order
	Items       []Item       `json:"items"`
	Annotations []Annotation `json:"annotations"`
}

// Category is what a box is of.
type Category struct {
	ID            int64  `json:"id"`
	Name          string `json:"name"`
	Supercategory string `json:"supercategory,omitempty"`
}

// Item is one image of a dataset. Width and Height are pixels of the upright
// image; 0 where the label file does not say.
type Item struct {
	ID     int64  `json:"id"`
	File   string `json:"file"` // path relative to the folder of images, with forward slashes
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Annotation is a box of a category on an item: ground truth drawn by a
// person, or a prediction made by a model, which has a Confidence.
type Annotation struct {
	ID         int64    `json:"id"`
	ItemID     int64    `json:"item_id"`
	CategoryID int64    `json:"category_id"`
	Box        geom.Box `json:"box"`
	// Area in square pixels, as COCO files give it (of the object's mask where there is one);
	// 0 means that of the box. COCO's small, medium and large go by it.
	Area       float64 `json:"area,omitempty"`
	Crowd      bool    `json:"crowd,omitempty"`      // COCO's iscrowd: covers many objects, matched by any number of predictions, never trained on
	Confidence float64 `json:"confidence,omitempty"` // 0 to 1; predictions only
}

// ByItem returns the annotations of each item, in the dataset's order.
func ByItem(annotations []Annotation) map[int64][]Annotation {
	groups := make(map[int64][]Annotation)
	for _, a := range annotations {
		groups[a.ItemID] = append(groups[a.ItemID], a)
	}
	return groups
}
