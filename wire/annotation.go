package wire

import "encoding/json"

// Annotation is one revision of an annotation or prediction.
type Annotation struct {
	ID         string          `json:"id"`
	Revision   int64           `json:"revision" doc:"From 1."`
	Item       string          `json:"item"`
	Run        string          `json:"run,omitempty" doc:"The model run that predicted it; absent for ground truth."`
	Type       string          `json:"type" enum:"box,polygon,line,keypoints,category,multicategory,mask,cuboid"`
	Category   string          `json:"category,omitempty"`
	Key        string          `json:"key,omitempty" doc:"The user's id of it, unique within the item and type."`
	Task       string          `json:"task,omitempty"`
	Taxonomy   string          `json:"taxonomy,omitempty"`
	Box        *Box            `json:"box,omitempty" doc:"The box, or what the geometry spans."`
	Crowd      bool            `json:"crowd,omitempty" doc:"Covers many objects, as COCO's iscrowd."`
	Confidence *float64        `json:"confidence,omitempty" minimum:"0" maximum:"1"`
	Metadata   json.RawMessage `json:"metadata,omitempty" doc:"An object."`
	Body       json.RawMessage `json:"body,omitempty" doc:"All else that the type has, as it came."`
	Source     string          `json:"source" doc:"By which way it came: human, api, import, model, lint or restore."`
	CreatedAt  Time            `json:"created_at" format:"date-time" doc:"Of this revision."`
	CreatedBy  string          `json:"created_by" doc:"Id of the user or key."`
	EndedAt    Time            `json:"ended_at,omitempty" format:"date-time" doc:"Absent while it is the current one."`
	EndedBy    string          `json:"ended_by,omitempty"`
}

// Box is a box in float pixels of the upright image; x0 ≤ x1, y0 ≤ y1.
type Box struct {
	X0 float64 `json:"x0"`
	Y0 float64 `json:"y0"`
	X1 float64 `json:"x1"`
	Y1 float64 `json:"y1"`
}

// Annotations are annotations of an item.
type Annotations struct {
	Revision    int64             `json:"revision,omitempty" doc:"Of the item."`
	Annotations []Annotation      `json:"annotations"`
	Names       map[string]string `json:"names,omitempty" doc:"In a history: what those who made and ended the revisions are called, by id."`
}

// Boxes is a page of boxes, annotations and predictions.
type Boxes struct {
	Boxes []Annotation    `json:"boxes"`
	Items map[string]Item `json:"items" doc:"The items that they are on, by id."`
	Next  string          `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}

// Drawn is an annotation as someone drew it.
type Drawn struct {
	ID         string          `json:"id,omitempty" doc:"Of the one that it changes; absent for a new one."`
	Type       string          `json:"type,omitempty" enum:"box,polygon,line,keypoints,category,multicategory,mask,cuboid" default:"box"`
	Category   string          `json:"category,omitempty" maxLength:"1000"`
	Box        *Box            `json:"box,omitempty"`
	Crowd      bool            `json:"crowd,omitempty"`
	Confidence *float64        `json:"confidence,omitempty" minimum:"0" maximum:"1"`
	Metadata   json.RawMessage `json:"metadata,omitempty" doc:"An object; left out, that of the one it changes stays."`
	Body       json.RawMessage `json:"body,omitempty" doc:"All else that the type has; left out, it stays."`
}

// SaveAnnotations makes an item's ground truth what it lists: what is not in
// the list is deleted, what is unchanged keeps its revision.
type SaveAnnotations struct {
	Base        int64   `json:"base" doc:"The item's revision that the change was made on; one that is no longer the last is a conflict."`
	Annotations []Drawn `json:"annotations" maxItems:"20000"`
}

// Restore makes ground truth what it was at a time, by new revisions.
type Restore struct {
	At Time `json:"at" format:"date-time"`
}

// Restored says how much a restore did.
type Restored struct {
	Changed int `json:"changed" doc:"Annotations that changed, came back or went."`
}
