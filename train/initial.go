package train

import (
	"fmt"

	"remuda"
	"remuda/detect"
	"remuda/weights"
)

// loadInitial gives a fresh model the weights that the spec starts from: a
// whole detector's, whose head is swapped for the data's categories, or a
// classifier's, which fill the backbone.
func loadInitial(model *detect.Model, spec remuda.TrainSpec) error {
	if spec.Weights == "" {
		return nil
	}
	file, err := weights.Open(spec.Weights)
	if err != nil {
		return fmt.Errorf("open the initial weights: %w", err)
	}
	defer file.Close()
	if isClassifier(file) {
		err = model.LoadBackbone(source(file))
	} else {
		_, err = model.Load(source(file), detect.LoadOptions{
			NewHead: spec.Recipe.Weights == "coco", EpsZero: detect.HasEpsZero(spec.Recipe.Arch, spec.Recipe.Weights),
		})
	}
	if err != nil {
		return fmt.Errorf("load %s: %w", spec.Weights, err)
	}
	return nil
}

// isClassifier tells torchvision's classification weights from a detector's.
func isClassifier(file *weights.File) bool {
	return file.Has("conv1.weight") || file.Has("features.0.0.weight")
}
