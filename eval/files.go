package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"remuda"
	"remuda/geom"
)

// The files of an evaluation's folder. The two COCO files are all that
// pycocotools needs to check the twelve numbers.
const (
	EvaluationFile  = "evaluation.json"
	MatchesFile     = "matches.json"      // rows of Match
	GroundTruthFile = "ground_truth.json" // COCO
	PredictionsFile = "predictions.json"  // COCO results
)

// cocoTruth is a COCO label file.
type cocoTruth struct {
	Images      []cocoImage       `json:"images"`
	Categories  []remuda.Category `json:"categories"`
	Annotations []cocoBox         `json:"annotations"`
}

type cocoImage struct {
	ID       int64  `json:"id"`
	FileName string `json:"file_name"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
}

type cocoBox struct {
	ID         int64      `json:"id"`
	ImageID    int64      `json:"image_id"`
	CategoryID int64      `json:"category_id"`
	Box        [4]float64 `json:"bbox"`
	Area       float64    `json:"area"`
	Crowd      int        `json:"iscrowd"`
}

type cocoResult struct {
	ID         int64      `json:"id"`
	ImageID    int64      `json:"image_id"`
	CategoryID int64      `json:"category_id"`
	Box        [4]float64 `json:"bbox"`
	Score      float64    `json:"score"`
}

// Save writes the evaluation's files, each to what create returns for its name.
func (e *Evaluation) Save(create func(name string) (io.WriteCloser, error)) error {
	files := []struct {
		name string
		save func(io.Writer) error
	}{
		{MatchesFile, func(w io.Writer) error { return saveRows(w, e.Matches()) }},
		{GroundTruthFile, e.saveTruth},
		{PredictionsFile, e.savePredictions},
		{EvaluationFile, e.saveNumbers},
	}
	for _, f := range files {
		if err := saveTo(create, f.name, f.save); err != nil {
			return fmt.Errorf("save evaluation: write %s: %w", f.name, err)
		}
	}
	return nil
}

func saveTo(create func(string) (io.WriteCloser, error), name string, save func(io.Writer) error) error {
	file, err := create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	err = save(w)
	if flushed := w.Flush(); err == nil {
		err = flushed
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// saveRows writes a JSON list with one row a line.
func saveRows[T any](w io.Writer, rows []T) error {
	for i := range rows {
		row, err := json.Marshal(&rows[i])
		if err != nil {
			return err
		}
		before := ",\n"
		if i == 0 {
			before = "[\n"
		}
		if _, err := io.WriteString(w, before+string(row)); err != nil {
			return err
		}
	}
	end := "\n]\n"
	if len(rows) == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}

func (e *Evaluation) saveNumbers(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}

func (e *Evaluation) saveTruth(w io.Writer) error {
	file := cocoTruth{Images: []cocoImage{}, Categories: sortedCategories(e.Truth), Annotations: []cocoBox{}}
	for _, i := range e.Truth.Items {
		file.Images = append(file.Images, cocoImage{i.ID, i.File, i.Width, i.Height})
	}
	for _, a := range e.Truth.Annotations {
		box := cocoBox{ID: a.ID, ImageID: a.ItemID, CategoryID: a.CategoryID, Box: xywh(a.Box), Area: a.Area}
		if a.Crowd {
			box.Crowd = 1
		}
		file.Annotations = append(file.Annotations, box)
	}
	return json.NewEncoder(w).Encode(file)
}

func (e *Evaluation) savePredictions(w io.Writer) error {
	rows := make([]cocoResult, len(e.Answered))
	for i, a := range e.Answered {
		rows[i] = cocoResult{a.ID, a.ItemID, a.CategoryID, xywh(a.Box), a.Confidence}
	}
	return saveRows(w, rows)
}

// xywh returns a box as COCO has it; read back, it is the very same box
// wherever a double for its side exists that says so.
func xywh(b geom.Box) [4]float64 {
	exact := func(lo, hi float64) float64 {
		s := side(lo, hi)
		for _, near := range []float64{s, math.Nextafter(s, 0), math.Nextafter(s, math.Inf(1))} {
			if lo+near == hi {
				return near
			}
		}
		return s
	}
	return [4]float64{b.X0, b.Y0, exact(b.X0, b.X1), exact(b.Y0, b.Y1)}
}

// Load reads back what Save has written, and checks that the files belong
// together: the numbers are computed again, so that a file that was changed is noticed.
func Load(open func(name string) (io.ReadCloser, error)) (*Evaluation, error) {
	saved := &Evaluation{}
	var truth cocoTruth
	var results []cocoResult
	files := []struct {
		name string
		into any
	}{{EvaluationFile, saved}, {GroundTruthFile, &truth}, {PredictionsFile, &results}}
	for _, f := range files {
		if err := loadFrom(open, f.name, f.into); err != nil {
			return nil, fmt.Errorf("load evaluation: read %s: %w", f.name, err)
		}
	}
	o := Options{Bootstrap: -1, Seed: saved.Seed, Threshold: &saved.Threshold}
	e, err := Evaluate(truth.dataset(), annotations(results), o)
	if err != nil {
		return nil, fmt.Errorf("load evaluation: %w", err)
	}
	if !near(e.AP, saved.AP) || !near(e.F1, saved.F1) || e.TP != saved.TP || e.FP != saved.FP || e.FN != saved.FN {
		return nil, remuda.Errorf(remuda.Conflict,
			"load evaluation: %s says AP %.4f and F1 %.4f, but %s and %s give %.4f and %.4f",
			EvaluationFile, saved.AP, saved.F1, GroundTruthFile, PredictionsFile, e.AP, e.F1,
		).WithHint("evaluate again: the files were changed or come from two evaluations")
	}
	saved.Truth, saved.Answered, saved.tables = e.Truth, e.Answered, e.tables
	return saved, nil
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }

func loadFrom(open func(string) (io.ReadCloser, error), name string, into any) error {
	file, err := open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := json.NewDecoder(bufio.NewReader(file)).Decode(into); err != nil {
		return remuda.Errorf(remuda.Invalid, "decode: %w", err).WithHint("evaluate again: %s is damaged or no file of an evaluation", name)
	}
	return nil
}

func (c cocoTruth) dataset() remuda.Dataset {
	d := remuda.Dataset{Categories: c.Categories}
	for _, i := range c.Images {
		d.Items = append(d.Items, remuda.Item{ID: i.ID, File: i.FileName, Width: i.Width, Height: i.Height})
	}
	for _, a := range c.Annotations {
		d.Annotations = append(d.Annotations, remuda.Annotation{
			ID: a.ID, ItemID: a.ImageID, CategoryID: a.CategoryID,
			Box: geom.FromXYWH(a.Box[0], a.Box[1], a.Box[2], a.Box[3]), Area: a.Area, Crowd: a.Crowd != 0,
		})
	}
	return d
}

func annotations(results []cocoResult) []remuda.Annotation {
	list := make([]remuda.Annotation, len(results))
	for i, r := range results {
		list[i] = remuda.Annotation{
			ID: r.ID, ItemID: r.ImageID, CategoryID: r.CategoryID,
			Box: geom.FromXYWH(r.Box[0], r.Box[1], r.Box[2], r.Box[3]), Confidence: r.Score,
		}
	}
	return list
}
