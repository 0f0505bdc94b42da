package wire

// Proof says what was compared after label files were written and read again.
type Proof struct {
	Items             int      `json:"items"`
	Boxes             int      `json:"boxes"`
	LargestDifference float64  `json:"largest_difference" doc:"Of any coordinate, in pixels."`
	Losses            []string `json:"losses,omitempty" doc:"What the format cannot express."`
}

// ProofHeader is the trailer of an export that holds its Proof as JSON.
const ProofHeader = "Remuda-Proof"

// Imported says what became of label files.
type Imported struct {
	Items     int      `json:"items" doc:"Of the files that were found in the dataset."`
	Boxes     int      `json:"boxes" doc:"On them."`
	Added     int      `json:"added"`
	Ignored   int      `json:"ignored" doc:"The item has the very box already."`
	Turned    int      `json:"turned,omitempty" doc:"Items whose boxes were drawn before EXIF turned the image, and were turned with it."`
	Unknown   []string `json:"unknown,omitempty" doc:"Files that the dataset has no item for."`
	Ambiguous []string `json:"ambiguous,omitempty" doc:"Files that may be several items."`
	Resized   []string `json:"resized,omitempty" doc:"Files whose labels are of another size than the image; their boxes were taken as they are."`
}
