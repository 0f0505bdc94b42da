package main

import (
	"fmt"
	"os"
	"strings"

	"remuda"
	"remuda/detect"
	"remuda/weights"
)

// modelFlags name a model: a run's folder, or bare weights with what they
// don't say themselves.
type modelFlags struct {
	Model string `help:"A run's folder, or a file of weights." placeholder:"RUN|FILE"`
	Arch  string `help:"Architecture of a file of weights (default: found from its arrays)." placeholder:"NAME"`
}

// model is what is known of a model before it is loaded.
type model struct {
	arch       string
	categories []remuda.Category
	threshold  *float64 // chosen on validation data; nil where there was none
	precision  string   // that a run was trained in; "" for bare weights
	isRun      bool
}

// look reads a run's card, or the arrays of bare weights, whose categories are
// named by the caller: nil leaves them to their numbers.
func (f modelFlags) look(m *Main, names []remuda.Category) (model, error) {
	info, err := os.Stat(f.Model)
	if err != nil {
		return model{}, remuda.Errorf(remuda.NotFound, "there is no model at %s", f.Model).WithHint("give --model a run's folder or a file of weights")
	}
	if info.IsDir() {
		card, err := remuda.ReadCard(f.Model)
		if err != nil {
			return model{}, err
		}
		if f.Arch != "" && f.Arch != card.Arch {
			return model{}, remuda.Errorf(remuda.Conflict, "%s is a %s, not a %s", f.Model, card.Arch, f.Arch).WithHint("leave --arch out")
		}
		return model{card.Arch, card.Categories, card.Threshold, card.Recipe.Precision, true}, nil
	}
	file, err := weights.Open(f.Model)
	if err != nil {
		return model{}, err
	}
	defer file.Close()
	arch, count, ok := detect.ArchOf(file.Shapes())
	if !ok {
		return model{}, remuda.Errorf(remuda.Invalid, "%s is no Faster R-CNN that remuda knows", f.Model).
			WithHint("give weights of one of %s", strings.Join(remuda.Architectures[:], ", "))
	}
	if f.Arch != "" && !sameArrays(arch, f.Arch) {
		return model{}, remuda.Errorf(remuda.Invalid, "%s holds weights of %s, not of %s", f.Model, arch, f.Arch).WithHint("leave --arch out")
	}
	if f.Arch == "" && arch != remuda.ResNet50FPN {
		arch = m.whichMobile(file, f.Model)
	}
	categories, err := bareCategories(f.Model, count, names)
	return model{arch: orDefault(f.Arch, arch), categories: categories}, err
}

// whichMobile tells the two MobileNetV3 detectors apart, which have the same
// arrays: by the file's own word, or as one of torchvision's files. Else it says
// what it takes the file for.
func (m *Main) whichMobile(file *weights.File, path string) string {
	said := file.Metadata()[weights.ArchEntry]
	sum, err := weights.SHA256(path)
	for _, arch := range []string{remuda.MobileNetV3LargeFPN, remuda.MobileNetV3Large320} {
		if _, known := weights.Known(sum, arch); said == arch || err == nil && known {
			return arch
		}
	}
	fmt.Fprintf(m.Stderr, "remuda: taking %s for a %s; if it is not, say --arch %s\n", path, remuda.MobileNetV3LargeFPN, remuda.MobileNetV3Large320)
	return remuda.MobileNetV3LargeFPN
}

// bareCategories names the outputs of bare weights. As many names as outputs
// name them in order; 90 outputs without such names are COCO's, as in all of
// torchvision's detectors; else names whose ids are outputs name those.
func bareCategories(path string, outputs int, names []remuda.Category) ([]remuda.Category, error) {
	if len(names) == outputs {
		return names, nil
	}
	if coco := weights.COCOCategories(); len(coco) == outputs {
		return coco, nil
	}
	categories := make([]remuda.Category, outputs)
	for k := range categories {
		categories[k] = remuda.Category{ID: int64(k + 1), Name: fmt.Sprintf("category %d", k+1)}
	}
	for _, c := range names {
		if c.ID < 1 || c.ID > int64(outputs) {
			return nil, remuda.Errorf(remuda.Invalid, "%s tells %d categories apart, %d are named", path, outputs, len(names)).
				WithHint("name all of them, in the order the model was trained with")
		}
		categories[c.ID-1] = c
	}
	return categories, nil
}

// spec asks for the model's detections on files, down to a score.
func (f modelFlags) spec(known model, files []string, minScore float64) *remuda.PredictSpec {
	spec := &remuda.PredictSpec{Model: f.Model, Files: files, MinScore: minScore}
	if !known.isRun {
		spec.Arch, spec.Categories = known.arch, known.categories
	}
	return spec
}

// namesOf turns --categories into categories with ids from 1.
func namesOf(list []string) ([]remuda.Category, error) {
	var categories []remuda.Category
	for i, name := range list {
		if name = strings.TrimSpace(name); name == "" {
			return nil, remuda.Errorf(remuda.Invalid, "name %d of --categories is empty", i+1).WithHint("give --categories horse,dog")
		}
		categories = append(categories, remuda.Category{ID: int64(i + 1), Name: name})
	}
	return categories, nil
}
