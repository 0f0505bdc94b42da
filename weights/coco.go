package weights

import (
	"fmt"

	"remuda"
)

// COCOCategories returns what torchvision's COCO detectors tell apart, in the
// order of their 90 outputs, whose numbers are COCO's ids. COCO gives ten of
// them to nothing; their names say so.
func COCOCategories() []remuda.Category {
	names := [...]string{
		"person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant",
		"", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra",
		"giraffe", "", "backpack", "umbrella", "", "", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
		"sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "",
		"wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot",
		"hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "", "dining table", "", "", "toilet", "",
		"tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
		"", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
	}
	categories := make([]remuda.Category, len(names))
	for i, name := range names {
		if name == "" {
			name = fmt.Sprintf("unused %d", i+1)
		}
		categories[i] = remuda.Category{ID: int64(i + 1), Name: name}
	}
	return categories
}
