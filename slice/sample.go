package slice

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Sample chooses n ids at random, or all if there are fewer, in the order
// given; an id that is there twice counts once. The choice depends on the seed
// and on which ids there are, not on their order: an id's rank is the first
// eight bytes of SHA-256 over the seed (eight bytes, little-endian) and the id,
// and the n lowest are chosen. So a smaller sample of the same seed is part of
// a larger one, and an id that is added or removed moves at most one other.
func Sample(ids []string, n int, seed uint64) []string {
	distinct := Union(ids, nil)
	if n >= len(distinct) {
		return distinct
	}
	return Intersect(distinct, lowest(distinct, n, seed))
}

// lowest returns the n ids of the lowest rank.
func lowest(ids []string, n int, seed uint64) []string {
	type ranked struct {
		rank uint64
		id   string
	}
	all := make([]ranked, len(ids))
	for i, id := range ids {
		all[i] = ranked{rank(seed, id), id}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id))
	})
	chosen := make([]string, max(0, n))
	for i := range chosen {
		chosen[i] = all[i].id
	}
	return chosen
}

func rank(seed uint64, id string) uint64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), id...))
	return binary.LittleEndian.Uint64(sum[:])
}

// Member is an item to sample from, with the categories of its boxes.
type Member struct {
	ID         string
	Categories []string // each once or more; none for a background image
}

// SampleByCategory chooses n items at random, or all if there are fewer, so
// that categories keep their share, in the order given; an id that is there
// twice counts as it was first.
//
// An item belongs to the stratum of the rarest of its categories, that is the
// one which the fewest items have (of two as rare, the first by name), items
// without boxes to one of their own. Of n, a stratum gets its share rounded
// down; what is left goes one each to the largest remainders (Hamilton's
// method; of equal ones, to the smaller stratum, then the first by name).
// Inside a stratum [Sample] chooses. Unlike there, a smaller sample need not be
// part of a larger one.
func SampleByCategory(members []Member, n int, seed uint64) []string {
	strata, ids := stratify(members)
	if n >= len(ids) {
		return ids
	}
	var chosen []string
	for i, quota := range quotas(strata, len(ids), max(0, n)) {
		chosen = append(chosen, lowest(strata[i].ids, quota, seed)...)
	}
	return Intersect(ids, chosen)
}

type stratum struct {
	category string // "" of items without boxes
	ids      []string
}

// stratify returns the strata by name, and all ids in the order given.
func stratify(members []Member) (strata []stratum, ids []string) {
	seen := make(map[string]bool, len(members))
	members = slices.Clone(members)
	members = slices.DeleteFunc(members, func(m Member) bool {
		again := seen[m.ID]
		seen[m.ID] = true
		return again
	})
	having := make(map[string]int)
	for _, m := range members {
		for _, c := range Union(m.Categories, nil) {
			having[c]++
		}
	}
	groups := make(map[string][]string)
	for _, m := range members {
		ids = append(ids, m.ID)
		var rarest string
		if len(m.Categories) > 0 {
			rarest = slices.MinFunc(m.Categories, func(a, b string) int {
				return cmp.Or(cmp.Compare(having[a], having[b]), cmp.Compare(a, b))
			})
		}
		groups[rarest] = append(groups[rarest], m.ID)
	}
	for category, ids := range groups {
		strata = append(strata, stratum{category, ids})
	}
	slices.SortFunc(strata, func(a, b stratum) int { return cmp.Compare(a.category, b.category) })
	return strata, ids
}

// quotas shares n among the strata in proportion to their sizes, in whole
// numbers throughout; n is at most all.
func quotas(strata []stratum, all, n int) []int {
	quota := make([]int, len(strata))
	byRemainder := make([]int, len(strata))
	left := n
	for i, s := range strata {
		quota[i] = len(s.ids) * n / all
		left -= quota[i]
		byRemainder[i] = i
	}
	remainder := func(i int) int { return len(strata[i].ids) * n % all }
	slices.SortStableFunc(byRemainder, func(a, b int) int {
		return cmp.Or(cmp.Compare(remainder(b), remainder(a)), cmp.Compare(len(strata[a].ids), len(strata[b].ids)))
	})
	for _, i := range byRemainder[:left] {
		quota[i]++
	}
	return quota
}
