package imageio

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"remuda"
)

// Fingerprint is an image's perceptual hash with the name that breaks ties.
type Fingerprint struct {
	Hash uint64 // of PerceptualHash
	ID   string
}

// Distinct returns the places of the images that stay when near-duplicates go:
// by ascending hash, then ID, an image stays if more than threshold bits tell it from
// each one that stayed before. The result is in that order, so it neither depends on
// the order given nor changes when the survivors are asked again. A threshold
// outside 0 to 64 is invalid.
func Distinct(images []Fingerprint, threshold int) ([]int, error) {
	if threshold < 0 || threshold > 64 {
		return nil, remuda.Errorf(remuda.Invalid, "find near-duplicates: a threshold of %d bits", threshold).WithHint("give a whole number from 0 to 64")
	}
	order := make([]int, len(images))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(images[a].Hash, images[b].Hash), strings.Compare(images[a].ID, images[b].ID))
	})
	var kept nearby = &scan{threshold: threshold}
	if threshold <= indexLimit && len(images) >= indexFrom {
		kept = newHashIndex(threshold, len(images))
	}
	stay := []int{}
	for _, i := range order {
		if !kept.near(images[i].Hash) {
			kept.add(images[i].Hash)
			stay = append(stay, i)
		}
	}
	return stay, nil
}

const (
	indexLimit = 15   // bits; from here on an index looks at more hashes than there are
	indexFrom  = 2000 // hashes; with fewer, looking at each is quicker
)

// nearby holds hashes and says whether one of them is close to another.
type nearby interface {
	near(hash uint64) bool
	add(hash uint64)
}

// scan looks at every hash.
type scan struct {
	threshold int
	hashes    []uint64
}

func (s *scan) add(hash uint64) { s.hashes = append(s.hashes, hash) }

func (s *scan) near(hash uint64) bool {
	for _, h := range slices.Backward(s.hashes) { // neighbors in the order are likelier to be alike
		if bits.OnesCount64(hash^h) <= s.threshold {
			return true
		}
	}
	return false
}

const (
	chunks    = 4 // of a hash
	chunkBits = 64 / chunks
)

// hashIndex finds close hashes by their chunks of 16 bits (multi-index hashing,
// Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index
// Hashing, 2012): if no more than 4r+a bits of two hashes differ, with a < 4, then
// no more than r bits differ in one of the first a+1 chunks, or no more than r−1 in
// one of the others.
type hashIndex struct {
	scan
	flips [chunks][]uint16 // the changes of a chunk that must be looked up
	first [chunks][]int32  // by the value of a chunk, the hash that had it last, counted from 1
	next  [chunks][]int32  // of every hash, the one that had the chunk's value before
}

func newHashIndex(threshold, most int) *hashIndex {
	x := &hashIndex{scan: scan{threshold: threshold}}
	for c := range chunks {
		radius := threshold / chunks
		if c > threshold%chunks {
			radius--
		}
		x.flips[c] = flipsWithin(radius)
		x.first[c] = make([]int32, 1<<chunkBits)
		x.next[c] = make([]int32, 1, most+1)
	}
	return x
}

// flipsWithin returns the chunks with at most so many bits set, fewest first;
// none for a negative number.
func flipsWithin(radius int) []uint16 {
	var list []uint16
	for n := 0; n <= radius; n++ {
		for flip := range 1 << chunkBits {
			if bits.OnesCount16(uint16(flip)) == n {
				list = append(list, uint16(flip))
			}
		}
	}
	return list
}

func chunk(hash uint64, c int) uint16 { return uint16(hash >> (chunkBits * c)) }

func (x *hashIndex) add(hash uint64) {
	x.scan.add(hash)
	for c := range chunks {
		value := chunk(hash, c)
		x.next[c] = append(x.next[c], x.first[c][value])
		x.first[c][value] = int32(len(x.hashes))
	}
}

func (x *hashIndex) near(hash uint64) bool {
	for c := range chunks {
		value := chunk(hash, c)
		for _, flip := range x.flips[c] {
			for at := x.first[c][value^flip]; at > 0; at = x.next[c][at] {
				if bits.OnesCount64(hash^x.hashes[at-1]) <= x.threshold {
					return true
				}
			}
		}
	}
	return false
}
