package detect

import (
	"slices"

	"remuda"
)

// ArchOf finds the architecture that a detector's weights belong to, and how
// many categories they tell apart without the background, from the arrays'
// names and shapes. The two MobileNetV3 detectors have the same arrays and
// differ in the sizes of images alone: both are reported as
// remuda.MobileNetV3LargeFPN.
func ArchOf(shapes map[string][]int) (arch string, categories int, ok bool) {
	score := shapes["roi_heads.box_predictor.cls_score.weight"]
	offsets := shapes["roi_heads.box_predictor.bbox_pred.weight"]
	if len(score) != 2 || score[0] < 2 || len(offsets) != 2 || offsets[0] != 4*score[0] {
		return "", 0, false
	}
	has := func(name string, shape ...int) bool { return slices.Equal(shapes[name], shape) }
	switch {
	case has("backbone.body.conv1.weight", 64, 3, 7, 7) && has("backbone.body.layer4.2.conv3.weight", 2048, 512, 1, 1):
		arch = remuda.ResNet50FPN
	case has("backbone.body.0.0.weight", 16, 3, 3, 3) && has("backbone.body.16.0.weight", 960, 160, 1, 1):
		arch = remuda.MobileNetV3LargeFPN
	default:
		return "", 0, false
	}
	return arch, score[0] - 1, true
}
