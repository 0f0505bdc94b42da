// Package train turns a spec into a run: it feeds images to the detector,
// steps the optimizer, and keeps everything needed to go on after a kill.
//
// A step's randomness (the order of items, flips and jitter, the boxes that
// are sampled) is a function of the recipe's seed and the step's number alone.
// So a checkpoint holds tensors and a step, no generator's state, and a
// resumed run takes the very steps that an undisturbed one takes.
//
// The package knows local paths only; it writes the files that package remuda
// names (SpecFile and the others) into the run's folder.
package train
