// Package eval scores a model's boxes against ground truth: COCO's twelve
// numbers, F1 at one threshold, what became of every box, intervals, the
// comparison of two models and the learning curve. It knows neither tensors
// nor files.
//
// # Rules
//
// The twelve numbers are those of pycocotools' COCOeval for boxes. F1,
// precision and recall count over all categories together: predictions of an
// image and a category go by falling confidence, each takes the free ground
// truth of its category that it overlaps most, at IoU ≥ 0.5; at most 100
// predictions of a category on an image take part; what matches only a crowd
// region counts neither for nor against. Because higher confidences choose
// first, one matching serves all thresholds.
//
// Intervals are 95 % percentile bootstraps over images: images are drawn with
// replacement, the threshold stays, and the draws are moved so that their median
// is the number itself. −1 stands for a number that has no meaning
// here, such as recall without ground truth, as COCO has it.
//
// The one known departure from pycocotools: it takes a ground truth whose id
// is 0 for unmatched; here every id is good.
//
// # Labeled boxes
//
// A server's evaluations know labels, not category ids, and are looked at in many
// ways: Pair makes a row of every prediction and every miss under a LabelRule,
// NewCharts and CountRows count rows, Rank orders evaluations, Validate scores
// items one by one. AP is COCO's there too, from the same tables.
package eval
