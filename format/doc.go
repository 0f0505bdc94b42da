// Package format reads and writes label files: COCO json, Pascal VOC and YOLO
// folders, and COCO results files of predictions. Each kind's coordinates
// become corner-based pixels of the upright image at this border and nowhere
// else:
//
//   - COCO's bbox is x, y, width, height from the top-left corner of the image; x1 = x + width.
//   - Pascal VOC's are 1-based pixels, both ends included: x0 = xmin − 1, x1 = xmax.
//   - YOLO's are centre and size as fractions of the upright image's size.
//
// Readers trust nothing. An error is coded invalid, names the file and the
// record, and lists up to ten problems at once.
package format
