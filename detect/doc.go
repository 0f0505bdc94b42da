// Package detect is Faster R-CNN with a feature pyramid, in Go on package
// tensor: backbone, pyramid, anchors, region proposal network, RoI heads,
// losses and detections. It computes what torchvision 0.14 computes for the
// three architectures it knows, from weights under torchvision's names.
//
// Literature: Ren et al., "Faster R-CNN" (arXiv:1506.01497); Lin et al.,
// "Feature Pyramid Networks" (1612.03144); He et al., "Deep Residual Learning"
// (1512.03385); Howard et al., "Searching for MobileNetV3" (1905.02244); He et
// al., "Mask R-CNN" (1703.06870) for RoIAlign.
//
// A Model belongs to its engine: New, Load, Losses and Detect are called
// inside tensor.Engine.Do. Transform is plain Go and may run anywhere.
package detect
