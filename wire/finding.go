package wire

// Finding is one thing to look at in a dataset or slice.
type Finding struct {
	ID          string   `json:"id,omitempty" doc:"What a fix names; absent if one call can't mend it."`
	Kind        string   `json:"kind" doc:"leak, missing_size, zero_area, outside, duplicate, overlapping, thin_category or empty."`
	Item        string   `json:"item,omitempty" doc:"Absent where it is about all of them."`
	ReferenceID string   `json:"reference_id,omitempty"`
	Annotations []string `json:"annotations,omitempty" doc:"Ids."`
	Other       string   `json:"other,omitempty" doc:"A leak's item in the training data."`
	Count       int      `json:"count" doc:"How many boxes or images it is about."`
	Message     string   `json:"message"`
	Fix         string   `json:"fix,omitempty" doc:"What a fix does."`
}

// Findings lists what is wrong, the worst kinds first.
type Findings struct {
	Findings []Finding      `json:"findings" doc:"At most 1,000 of each kind."`
	Counts   map[string]int `json:"counts" doc:"Of all findings, by kind."`
}

// FixFindings mends findings.
type FixFindings struct {
	Findings []string `json:"findings" minItems:"1" maxItems:"1000" doc:"Ids."`
}

// Fixed says what became of findings that were to be mended.
type Fixed struct {
	Fixed    int       `json:"fixed"`
	Problems []Mistake `json:"problems,omitempty" doc:"Those that were not, and why; the location is the finding's id."`
}
