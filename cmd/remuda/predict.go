package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"remuda"
	"remuda/format"
	"remuda/imageio"
)

// defaultThreshold is for models without validation data.
const defaultThreshold = 0.5

// predictCmd finds objects on images.
type predictCmd struct {
	modelFlags
	Categories []string `help:"Names of a file's categories, in the order it was trained with." placeholder:"a,b"`
	Threshold  *float64 `help:"Least confidence to show (default: the model's own, else 0.5)." placeholder:"T"`
	Draw       string   `help:"Draw boxes on copies of the images, in this folder." placeholder:"DIR"`
	COCO       string   `name:"coco" help:"Write COCO results; image_id counts the images from 1 in the order shown. Every detection is kept unless --threshold is given." placeholder:"FILE"`
	JSON       bool     `name:"json" help:"Print a JSON line for each image."`
	engineFlags
	Images []string `arg:"" name:"image" help:"Images, or folders of them."`
}

// prediction is one line of --json.
type prediction struct {
	Image      string      `json:"image"`
	Width      int         `json:"width"`
	Height     int         `json:"height"`
	Detections []detection `json:"detections"`
}

type detection struct {
	Category   string     `json:"category"`
	CategoryID int64      `json:"category_id"`
	Score      float64    `json:"score"`
	Box        [4]float64 `json:"bbox"` // x, y, width, height
}

// Run predicts on every image. Broken ones are named and the rest go on; the
// exit status tells.
func (c *predictCmd) Run(m *Main) error {
	if c.Model == "" {
		return remuda.Errorf(remuda.Invalid, "--model is missing").WithHint("give --model a run's folder or a file of weights")
	}
	names, err := namesOf(c.Categories)
	if err != nil {
		return err
	}
	known, err := c.look(m, names)
	if err != nil {
		return err
	}
	if known.isRun && len(names) > 0 {
		return remuda.Errorf(remuda.Conflict, "--categories is for a file of weights: the run in %s has its own", c.Model).WithHint("leave --categories out")
	}
	if len(names) > 0 && len(names) != len(known.categories) {
		return remuda.Errorf(remuda.Invalid, "%s tells %d categories apart, --categories names %d", c.Model, len(known.categories), len(names)).
			WithHint("name all of them, in the order the model was trained with")
	}
	if c.Threshold != nil && !(*c.Threshold >= 0 && *c.Threshold <= 1) {
		return remuda.Errorf(remuda.Invalid, "threshold is %v", *c.Threshold).WithHint("give --threshold 0 to 1")
	}
	files, err := expand(c.Images)
	if err != nil {
		return err
	}
	engine, err := c.engineFlags.forModel(known).spec(m)
	if err != nil {
		return err
	}
	run := &predictRun{m: m, cmd: c, files: files, names: make(map[int64]string)}
	for _, category := range known.categories {
		run.names[category.ID] = category.Name
	}
	run.shown, run.kept = c.thresholds(known)
	if err := c.prepareResults(); err != nil {
		return err
	}
	if err := run.prepareDrawings(); err != nil {
		return err
	}
	err = m.launch(remuda.Spec{Engine: engine, Predict: c.modelFlags.spec(known, files, min(run.shown, run.kept))}, run.event)
	if err != nil {
		return err
	}
	return run.finish()
}

// thresholds returns the least confidence that is shown, and that goes into
// COCO results, which are scored over all thresholds.
func (c *predictCmd) thresholds(known model) (shown, kept float64) {
	switch {
	case c.Threshold != nil:
		return *c.Threshold, *c.Threshold
	case known.threshold != nil:
		shown = *known.threshold
	default:
		shown = defaultThreshold
	}
	if c.COCO == "" {
		return shown, shown
	}
	return shown, 0
}

// predictRun is the state of one call.
type predictRun struct {
	m           *Main
	cmd         *predictCmd
	files       []string
	drawings    []string // path of each file's drawing
	names       map[int64]string
	shown, kept float64
	results     []remuda.Annotation
	broken      []error
}

func (r *predictRun) event(event remuda.Event, _ []byte) error {
	d := event.Detection
	if d == nil {
		return nil
	}
	if d.Error != "" {
		err := errors.New(d.Error)
		r.broken = append(r.broken, err)
		fmt.Fprintf(r.m.Stderr, "remuda: %v\n", err)
		return nil
	}
	var shown []remuda.Annotation
	for _, a := range d.Annotations {
		if a.Confidence >= r.shown {
			shown = append(shown, a)
		}
		if r.cmd.COCO != "" && a.Confidence >= r.kept {
			a.ItemID = int64(d.Index + 1)
			r.results = append(r.results, a)
		}
	}
	if err := r.print(d, shown); err != nil {
		return fmt.Errorf("print predictions: %w", err)
	}
	if r.cmd.Draw == "" {
		return nil
	}
	return r.draw(d, shown)
}

func (r *predictRun) print(d *remuda.DetectionEvent, shown []remuda.Annotation) error {
	if !r.cmd.JSON {
		words := make([]string, len(shown))
		for i, a := range shown {
			words[i] = fmt.Sprintf("%s %.2f", r.names[a.CategoryID], a.Confidence)
		}
		if len(words) == 0 {
			words = []string{"nothing"}
		}
		_, err := fmt.Fprintf(r.m.Stdout, "%s: %s\n", d.File, strings.Join(words, ", "))
		return err
	}
	line := prediction{Image: d.File, Width: d.Width, Height: d.Height, Detections: []detection{}}
	for _, a := range shown {
		line.Detections = append(line.Detections, detection{
			Category: r.names[a.CategoryID], CategoryID: a.CategoryID, Score: a.Confidence,
			Box: [4]float64{a.Box.X0, a.Box.Y0, a.Box.X1 - a.Box.X0, a.Box.Y1 - a.Box.Y0},
		})
	}
	encoder := json.NewEncoder(r.m.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// prepareDrawings makes the folder for drawings, and refuses one where an image
// would be written over.
func (r *predictRun) prepareDrawings() error {
	if r.cmd.Draw == "" {
		return nil
	}
	if err := os.MkdirAll(r.cmd.Draw, 0o755); err != nil {
		return remuda.Errorf(remuda.Invalid, "make the folder for drawings: %w", err).WithHint("give --draw a folder that can be written")
	}
	if err := writable(r.cmd.Draw); err != nil {
		return err
	}
	r.drawings = drawingsOf(r.cmd.Draw, r.files)
	var there []os.FileInfo
	for _, drawing := range r.drawings {
		if info, err := os.Stat(drawing); err == nil {
			there = append(there, info)
		}
	}
	for _, file := range r.files {
		image, err := os.Stat(file)
		if err == nil && slices.ContainsFunc(there, func(info os.FileInfo) bool { return os.SameFile(info, image) }) {
			return remuda.Errorf(remuda.Conflict, "a drawing would replace the image %s", file).WithHint("give --draw another folder")
		}
	}
	return nil
}

// prepareResults refuses a file for COCO results that can't be written.
func (c *predictCmd) prepareResults() error {
	if c.COCO == "" {
		return nil
	}
	if info, err := os.Stat(c.COCO); err == nil && info.IsDir() {
		return remuda.Errorf(remuda.Conflict, "%s is a folder", c.COCO).WithHint("give --coco the name of a file")
	}
	return writable(filepath.Dir(c.COCO))
}

// draw writes a copy of the image with its boxes.
func (r *predictRun) draw(d *remuda.DetectionEvent, shown []remuda.Annotation) error {
	picture, err := imageio.Open(d.File)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	var boxes []imageio.Drawn
	for _, a := range shown {
		boxes = append(boxes, imageio.Drawn{
			Box: a.Box, Label: fmt.Sprintf("%s %.2f", r.names[a.CategoryID], a.Confidence), Color: colorOf(a.CategoryID),
		})
	}
	if err := imageio.DrawBoxes(picture, boxes); err != nil {
		return fmt.Errorf("draw on %s: %w", d.File, err)
	}
	encoded, err := imageio.EncodeJPEG(picture, 90)
	if err != nil {
		return fmt.Errorf("draw on %s: %w", d.File, err)
	}
	return writeFile(r.drawings[d.Index], encoded)
}

// drawingsOf names the drawing of each file: its own name as a JPEG, with its
// number where several files have the same.
func drawingsOf(dir string, files []string) []string {
	stem := func(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }
	count := make(map[string]int)
	for _, file := range files {
		count[stem(file)]++
	}
	drawings := make([]string, len(files))
	for i, file := range files {
		name := stem(file)
		if count[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		drawings[i] = filepath.Join(dir, name+".jpg")
	}
	return drawings
}

// colorOf spreads the categories' hues by the golden angle, so that
// neighbours differ.
func colorOf(id int64) color.RGBA {
	hue := math.Mod(float64(id)*137.50776405, 360) / 60
	channel := func(shift float64) uint8 {
		k := math.Mod(shift+hue, 6)
		return uint8(255 * (0.95 - 0.8*max(0, min(k, 4-k, 1))))
	}
	return color.RGBA{channel(5), channel(3), channel(1), 255}
}

// finish writes the results and says which images were broken.
func (r *predictRun) finish() error {
	if r.cmd.COCO != "" {
		if err := format.WritePredictions(r.cmd.COCO, r.results); err != nil {
			return err
		}
	}
	if len(r.broken) == 0 {
		return nil
	}
	return remuda.Errorf(remuda.Invalid, "%d of %d images could not be read", len(r.broken), len(r.files)).WithHint("repair or remove the ones named above")
}

// expand lists the images among the arguments, and in the folders among them
// those whose names end as images' do.
func expand(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, remuda.Errorf(remuda.NotFound, "there is no image or folder at %s", arg).WithHint("check the path")
		} else if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "look for images: %w", err).WithHint("check the path")
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := imagesIn(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func imagesIn(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && isImageName(path) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "look for images: %w", err).WithHint("give a folder that can be read")
	}
	if len(files) == 0 {
		return nil, remuda.Errorf(remuda.NotFound, "there are no images in %s", dir).WithHint("give a folder of JPEG, PNG, WebP, GIF, BMP or TIFF files")
	}
	return files, nil
}

func isImageName(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff":
		return true
	}
	return false
}
