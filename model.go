package remuda

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Card is what is known of a model: model.json beside its weights.
type Card struct {
	Format     int        `json:"format"` // of this file; 1
	Arch       string     `json:"arch"`
	Categories []Category `json:"categories"` // output k of the model is Categories[k−1], 0 the background
	Recipe     Recipe     `json:"recipe"`
	Data       DataCard   `json:"data"`
	Engine     string     `json:"engine"`
	Created    time.Time  `json:"created"`
	Epoch      int        `json:"epoch"`   // the epoch whose weights were kept
	Weights    string     `json:"weights"` // SHA-256 of model.safetensors, hex
	Scores     *Scores    `json:"scores,omitempty"`
	// Threshold is the confidence that gave the best F1 on the validation data; nil without such data.
	Threshold *float64 `json:"threshold,omitempty"`
}

// DataCard pins the data that a model was made from.
type DataCard struct {
	Train DataHash  `json:"train"`
	Val   *DataHash `json:"val,omitempty"`
}

// DataHash names a dataset by content.
type DataHash struct {
	File        string `json:"file"` // as it was called; for reading only
	Items       int    `json:"items"`
	Annotations int    `json:"annotations"`
	SHA256      string `json:"sha256"` // over the images' bytes and the annotations, hex
}

// Scores are the figures that a checkpoint is chosen by.
type Scores struct {
	F1        float64 `json:"f1"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	Threshold float64 `json:"threshold"`
	AP        float64 `json:"ap"`
	AP50      float64 `json:"ap50"`
}

// ReadCard returns the card in a run's folder; not_found if there is none.
func ReadCard(folder string) (Card, error) {
	var card Card
	path := filepath.Join(folder, CardFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return card, Errorf(NotFound, "%s holds no finished model: %w", folder, err).
			WithHint("name a run's folder, or finish the run: remuda train --out %s --resume", folder)
	}
	if err := json.Unmarshal(data, &card); err != nil {
		return card, Errorf(Invalid, "read %s: %w", path, err).WithHint("make it again: remuda train --out %s --resume", folder)
	}
	return card, nil
}
