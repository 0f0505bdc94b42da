package weights

import (
	"strings"

	"remuda"
)

// DefaultURL is where torchvision publishes its files.
const DefaultURL = "https://download.pytorch.org/models"

// The names under which pre-trained weights are asked for.
const (
	COCO     = "coco"     // a whole detector
	ImageNet = "imagenet" // a classifier, whose features are a detector's backbone
	Starter  = "starter"  // the same, small and weak, but part of this program
	None     = "none"     // random numbers
)

// Source is one of torchvision's files.
type Source struct {
	Name   string `json:"name"`   // COCO or ImageNet
	Arch   string `json:"arch"`   // the architecture that it serves; one of remuda.Architectures
	File   string `json:"file"`   // its name, which carries the first 8 hex digits of its SHA-256
	Origin string `json:"origin"` // what it was trained on and how it scored there, for people
}

// Prefix returns the hex digits that the file's SHA-256 begins with. That is all
// that its publisher says about it; the whole sum is kept from the first
// download on.
func (s Source) Prefix() string {
	stem := strings.TrimSuffix(s.File, ".pth")
	return stem[strings.LastIndexByte(stem, '-')+1:]
}

// Catalogue lists the files in the order of remuda.Architectures. Names and
// scores are those of torchvision 0.14's models/detection/faster_rcnn.py,
// models/resnet.py and models/mobilenetv3.py; its detectors take the first
// version of the classifiers.
func Catalogue() []Source {
	const mobile, mobileOrigin = "mobilenet_v3_large-8738ca79.pth", "ImageNet-1K, top-1 74.0 %"
	return []Source{
		{COCO, remuda.ResNet50FPN, "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", "COCO train2017, box AP 37.0"},
		{ImageNet, remuda.ResNet50FPN, "resnet50-0676ba61.pth", "ImageNet-1K, top-1 76.1 %"},
		{COCO, remuda.MobileNetV3LargeFPN, "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth", "COCO train2017, box AP 32.8"},
		{ImageNet, remuda.MobileNetV3LargeFPN, mobile, mobileOrigin},
		{COCO, remuda.MobileNetV3Large320, "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth", "COCO train2017, box AP 22.8"},
		{ImageNet, remuda.MobileNetV3Large320, mobile, mobileOrigin},
	}
}

// Find returns the file that a name, COCO or ImageNet, means for an
// architecture; or, for a file's name, that file.
func Find(name, arch string) (Source, error) {
	for _, s := range Catalogue() {
		if s.Name == name && s.Arch == arch || s.File == name {
			return s, nil
		}
	}
	return Source{}, remuda.Errorf(remuda.Invalid, "no weights are called %q for %s", name, arch).
		WithHint("`remuda weights ls` shows what there is")
}

// Known returns the file of the catalogue that has a SHA-256, for an
// architecture.
func Known(sum, arch string) (Source, bool) {
	for _, s := range Catalogue() {
		if s.Arch == arch && strings.HasPrefix(sum, s.Prefix()) {
			return s, true
		}
	}
	return Source{}, false
}
