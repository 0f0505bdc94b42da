package wire

// Taxonomy is a named list of labels.
type Taxonomy struct {
	Name   string   `json:"name"`
	Type   string   `json:"type" enum:"category,multicategory"`
	Labels []string `json:"labels"`
}

// Taxonomies lists a dataset's taxonomies.
type Taxonomies struct {
	Taxonomies []Taxonomy `json:"taxonomies"`
}

// PutTaxonomy makes a taxonomy, or adds labels to one that is there.
type PutTaxonomy struct {
	Type   string   `json:"type,omitempty" enum:"category,multicategory" default:"category"`
	Labels []string `json:"labels"`
}
