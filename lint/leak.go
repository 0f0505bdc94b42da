package lint

import (
	"fmt"
	"math/bits"
)

// leaks finds images of the validation and test data that are in the training
// data too, under whatever name: by their bytes, or by a perceptual hash that
// differs in few bits.
func leaks(in Input) []Finding {
	if in.Train == nil {
		return nil
	}
	bySHA, names := make(map[string]string), make(map[string]bool)
	index := newHashIndex()
	for _, item := range in.Train.Items {
		names[item.File] = true
		facts := in.Images[item.File]
		if facts.SHA256 != "" && bySHA[facts.SHA256] == "" {
			bySHA[facts.SHA256] = item.File
		}
		if telling(facts.Hash) {
			index.add(facts.Hash, item.File)
		}
	}
	var found []Finding
	for _, s := range in.splits() {
		if s.name == "train" {
			continue
		}
		for _, item := range s.data.Items {
			f := Finding{Kind: Leak, Split: s.name, File: item.File, Count: 1}
			if names[item.File] {
				f.Other, f.Message = item.File, "the image is in the training data too"
			} else {
				f.Other, f.Message = leak(in.Images[item.File], bySHA, index)
			}
			if f.Other != "" {
				found = append(found, f)
			}
		}
	}
	return found
}

// leak returns the training image that is the same picture, "" if there is none.
func leak(facts Facts, bySHA map[string]string, index *hashIndex) (other, message string) {
	if other = bySHA[facts.SHA256]; other != "" {
		return other, "the very file is in the training data, as " + other
	}
	if !telling(facts.Hash) {
		return "", ""
	}
	other, distance := index.nearest(facts.Hash)
	if distance > LeakWithin {
		return "", ""
	}
	return other, fmt.Sprintf("the picture seems to be in the training data, as %s (perceptual hashes differ in %d of 64 bits)", other, distance)
}

// telling reports whether a perceptual hash says anything: about half of a
// picture's bits are set, but hardly any of a plain surface's.
func telling(hash uint64) bool {
	const few = 16
	n := bits.OnesCount64(hash)
	return n >= few && n <= 64-few
}

// blocks is into how many parts a hash is cut: two hashes that differ in at
// most LeakWithin bits agree in at least one part, so that only hashes that
// share a part need comparing (multi-index hashing; Norouzi, Punjani, Fleet 2012).
const blocks = LeakWithin + 1

type hashIndex struct {
	hashes  []uint64 // distinct
	files   []string // the first with that hash
	known   map[uint64]bool
	buckets [blocks]map[uint64][]int32 // by part: which hashes have it
}

func newHashIndex() *hashIndex {
	x := hashIndex{known: make(map[uint64]bool)}
	for i := range x.buckets {
		x.buckets[i] = make(map[uint64][]int32)
	}
	return &x
}

// part returns the i-th of the parts of a hash.
func part(hash uint64, i int) uint64 {
	from, to := i*64/blocks, (i+1)*64/blocks
	return hash >> from & (1<<(to-from) - 1)
}

func (x *hashIndex) add(hash uint64, file string) {
	if x.known[hash] {
		return
	}
	x.known[hash] = true
	n := int32(len(x.hashes))
	x.hashes, x.files = append(x.hashes, hash), append(x.files, file)
	for i := range x.buckets {
		p := part(hash, i)
		x.buckets[i][p] = append(x.buckets[i][p], n)
	}
}

// nearest returns the first added of the nearest files and its distance. It is
// exact up to LeakWithin; beyond that the distance is only known to be larger.
func (x *hashIndex) nearest(hash uint64) (file string, distance int) {
	best, distance := int32(-1), 65
	for i := range x.buckets {
		for _, n := range x.buckets[i][part(hash, i)] {
			d := bits.OnesCount64(x.hashes[n] ^ hash)
			if d < distance || d == distance && n < best {
				best, distance = n, d
			}
		}
	}
	if best < 0 {
		return "", distance
	}
	return x.files[best], distance
}
