package remuda

// Names of the files in a run's folder.
const (
	SpecFile       = "spec.json"              // what was asked, enough to start again
	EventsFile     = "events.jsonl"           // every event, one JSON object a line
	CheckpointFile = "checkpoint.safetensors" // the resumable state, replaced as a whole
	BestFile       = "best.safetensors"       // the weights with the best validation F1 so far
	ModelFile      = "model.safetensors"      // the model, once the run is done
	CardFile       = "model.json"             // its card
	ReportFile     = "report.html"            // what a person looks at
)

// Spec is what a child process is told to do. It names local paths only.
type Spec struct {
	Engine  EngineSpec   `json:"engine"`
	Train   *TrainSpec   `json:"train,omitempty"`   // exactly one of the three is set
	Predict *PredictSpec `json:"predict,omitempty"` //
	Embed   *EmbedSpec   `json:"embed,omitempty"`   //
}

// EngineSpec says which engine to open and how.
type EngineSpec struct {
	Shim      string `json:"shim"`      // path of the compiled shim
	Device    string `json:"device"`    // "cpu" or "cuda:N"
	Threads   int    `json:"threads"`   // ≥ 1
	Precision string `json:"precision"` // "float32" or "bfloat16"
}

// TrainSpec is a run to start or to go on with. Its folder holds the whole
// spec, so that a killed run needs nothing else.
type TrainSpec struct {
	Out     string   `json:"out"`     // the run's folder
	Images  string   `json:"images"`  // folder that Item.File is relative to
	Weights string   `json:"weights"` // file of initial weights, "" for random ones
	Recipe  Recipe   `json:"recipe"`
	Train   Dataset  `json:"train"`
	Val     *Dataset `json:"val,omitempty"` // chooses the best checkpoint and the threshold
	Data    DataCard `json:"data"`
	Resume  bool     `json:"resume"` // go on from the last checkpoint, or from the beginning where there is none
}

// PredictSpec asks for a model's detections on images, in order.
type PredictSpec struct {
	Model      string     `json:"model"`      // a run's folder or a file of weights
	Arch       string     `json:"arch"`       // for bare weights; "" to find it from names and shapes
	Categories []Category `json:"categories"` // for bare weights
	Files      []string   `json:"files"`
	MinScore   float64    `json:"min_score"` // detections below are left out; torchvision's 0.05 is the model's own limit
}

// EmbedSpec asks for the vectors of images, in order: what a backbone's last
// feature map is on average, scaled to length 1.
type EmbedSpec struct {
	Arch    string   `json:"arch"`    // whose backbone it is
	Weights string   `json:"weights"` // a file of a detector's weights, or of a classifier with the same backbone
	SHA256  string   `json:"sha256"`  // of that file, hex: others are refused
	Side    int      `json:"side"`    // pixels that an image's sides are squeezed to, 32 to 1024
	Files   []string `json:"files"`
}

// Event is one line that a child prints. Exactly one field is set.
type Event struct {
	Start     *StartEvent     `json:"start,omitempty"`
	Step      *StepEvent      `json:"step,omitempty"`
	Epoch     *EpochEvent     `json:"epoch,omitempty"`
	Save      *SaveEvent      `json:"save,omitempty"`
	Detection *DetectionEvent `json:"detection,omitempty"`
	Embedding *EmbeddingEvent `json:"embedding,omitempty"`
	Done      *DoneEvent      `json:"done,omitempty"`
	Fail      *FailEvent      `json:"fail,omitempty"` // the last event of a run that failed with a reason
}

// StartEvent says what is about to run.
type StartEvent struct {
	Engine        string `json:"engine"`              // libtorch's version and the shim's
	Precision     string `json:"precision,omitempty"` // "float32" or "bfloat16"; images' vectors are float32
	Items         int    `json:"items"`
	Epochs        int    `json:"epochs"`
	StepsPerEpoch int    `json:"steps_per_epoch"`
	Step          int    `json:"step"` // where a resumed run goes on; 0 else
}

// Losses are a step's or an epoch's mean losses, torchvision's four and their sum.
type Losses struct {
	Total      float64 `json:"total"`
	Classifier float64 `json:"classifier"`
	BoxReg     float64 `json:"box_reg"`
	Objectness float64 `json:"objectness"`
	RPNBoxReg  float64 `json:"rpn_box_reg"`
}

// StepEvent reports one optimizer step.
type StepEvent struct {
	Step    int     `json:"step"` // steps done, from 1
	Epoch   int     `json:"epoch"`
	LR      float64 `json:"lr"`
	Losses  Losses  `json:"losses"`
	Images  int     `json:"images"`
	Seconds float64 `json:"seconds"` // of the step, waiting included
	Wait    float64 `json:"wait"`    // seconds spent waiting for data
}

// EpochEvent reports one pass over the training items.
type EpochEvent struct {
	Epoch   int     `json:"epoch"` // epochs done, from 1
	Step    int     `json:"step"`  // steps done
	Losses  Losses  `json:"losses"`
	Seconds float64 `json:"seconds"`
	Val     *Scores `json:"val,omitempty"`
	Best    bool    `json:"best,omitempty"` // the best validation F1 so far
}

// SaveEvent says that a checkpoint is safe on disk.
type SaveEvent struct {
	Step int    `json:"step"`
	File string `json:"file"`
}

// DetectionEvent is a model's answer for one image, or why there is none.
type DetectionEvent struct {
	Index       int          `json:"index"` // into PredictSpec.Files
	File        string       `json:"file"`
	Width       int          `json:"width"`
	Height      int          `json:"height"`
	Annotations []Annotation `json:"annotations"` // best first; CategoryID, Box and Confidence are set
	Error       string       `json:"error,omitempty"`
}

// EmbeddingEvent is the vector of one image, or why there is none.
type EmbeddingEvent struct {
	Index  int       `json:"index"`            // into EmbedSpec.Files
	Vector []float32 `json:"vector,omitempty"` // of length 1; JSON keeps every bit of it
	Error  string    `json:"error,omitempty"`
}

// DoneEvent is the last event of a child that did what it was told.
type DoneEvent struct {
	Seconds float64 `json:"seconds"`
	PeakRSS int64   `json:"peak_rss"` // bytes
	Card    *Card   `json:"card,omitempty"`
}

// FailEvent carries an error over the line between two processes.
type FailEvent struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}
