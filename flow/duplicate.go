package flow

import (
	"context"
	"maps"
	"slices"

	"remuda"
	"remuda/imageio"
	"remuda/store"
)

// jobDeduplicate is the kind of job that finds which images of a dataset stay
// when near-duplicates go.
const jobDeduplicate = "deduplicate"

// Deduplication says of which images near-duplicates are sought: those that are
// named or, if none is, all of the dataset.
type Deduplication struct {
	Threshold  int      `json:"threshold"` // bits, 0 to 64: images that differ in no more are near-duplicates
	References []string `json:"references,omitempty"`
	Items      []string `json:"items,omitempty"`
}

// Deduplicated is what such a job finds.
type Deduplicated struct {
	Items      []string `json:"unique_item_ids"`
	References []string `json:"unique_reference_ids"` // in the same order
	Stats      struct {
		Threshold    int `json:"threshold"`
		Original     int `json:"original_count"`
		Deduplicated int `json:"deduplicated_count"`
	} `json:"stats"`
}

// Deduplicate makes the job that finds near-duplicates of a dataset; it changes nothing.
func (f *Flow) Deduplicate(ctx context.Context, caller remuda.Caller, dataset string, d Deduplication) (job store.Job, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return job, err
	}
	if d.Threshold < 0 || d.Threshold > 64 {
		return job, remuda.Errorf(remuda.Invalid, "find near-duplicates: a threshold of %d bits", d.Threshold).WithHint("give a whole number from 0 to 64")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		hashes, err := hashesOf(tx, dataset, d)
		if err != nil {
			return err
		}
		job, err = tx.NewJob(jobDeduplicate, dataset, d, int64(len(hashes)))
		return err
	})
	return job, err
}

func (f *Flow) runDeduplicate(ctx context.Context, run *JobRun) (any, error) {
	var d Deduplication
	if err := run.Args(&d); err != nil {
		return nil, err
	}
	hashes, err := f.hashed(ctx, run, d)
	if err != nil {
		return nil, err
	}
	result := Deduplicated{Items: []string{}, References: []string{}}
	result.Stats.Threshold, result.Stats.Original = d.Threshold, len(hashes)
	known, absent := split(hashes)
	stay, err := imageio.Distinct(fingerprints(known), d.Threshold)
	if err != nil {
		return nil, err
	}
	for _, i := range stay {
		result.Items, result.References = append(result.Items, known[i].Item), append(result.References, known[i].Reference)
	}
	for _, h := range absent { // nothing is known to be like it
		result.Items, result.References = append(result.Items, h.Item), append(result.References, h.Reference)
	}
	result.Stats.Deduplicated = len(result.Items)
	return result, nil
}

// hashed is hashesOf once the images that nobody has looked at are looked at:
// right after an upload another job may not have come to them.
func (f *Flow) hashed(ctx context.Context, run *JobRun, d Deduplication) (hashes []store.PHash, err error) {
	find := func(tx *store.Tx) (err error) {
		hashes, err = hashesOf(tx, run.Job.Dataset, d)
		return err
	}
	if err := f.DB.Read(ctx, run.Caller, find); err != nil {
		return nil, err
	}
	var fresh []string
	for _, h := range hashes {
		if !h.Known && !h.Unreadable {
			fresh = append(fresh, h.Item)
		}
	}
	if len(fresh) == 0 {
		return hashes, nil
	}
	if err := f.lookAt(ctx, run, fresh, int64(len(hashes)-len(fresh))); err != nil {
		return nil, err
	}
	return hashes, f.DB.Read(ctx, run.Caller, find)
}

// hashesOf returns the hashes that a deduplication is about; not_found if it names one that is unknown.
func hashesOf(tx *store.Tx, dataset string, d Deduplication) ([]store.PHash, error) {
	all, err := tx.PHashes(dataset)
	if err != nil || len(d.References)+len(d.Items) == 0 {
		return all, err
	}
	items, references := setOf(d.Items), setOf(d.References)
	found := slices.DeleteFunc(all, func(h store.PHash) bool {
		_, byItem := items[h.Item]
		_, byReference := references[h.Reference]
		delete(items, h.Item)
		delete(references, h.Reference)
		return !byItem && !byReference
	})
	return found, noneUnknown(dataset, slices.Sorted(maps.Keys(merged(items, references))))
}

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

func merged(a, b map[string]struct{}) map[string]struct{} {
	maps.Copy(a, b)
	return a
}

func split(hashes []store.PHash) (known, absent []store.PHash) {
	for _, h := range hashes {
		if h.Known {
			known = append(known, h)
		} else {
			absent = append(absent, h)
		}
	}
	return known, absent
}

func fingerprints(hashes []store.PHash) []imageio.Fingerprint {
	prints := make([]imageio.Fingerprint, len(hashes))
	for i, h := range hashes {
		prints[i] = imageio.Fingerprint{Hash: h.Bits, ID: h.Reference}
	}
	return prints
}

// DuplicateGroup is an image with others that are nearly the same.
type DuplicateGroup struct {
	Keep   store.PHash
	Others []store.PHash
}

// DuplicateGroups returns the near-duplicates of a dataset in groups: each image
// that a deduplication of this threshold keeps, with those that go because of
// it. Images that are like no other are left out.
func (f *Flow) DuplicateGroups(ctx context.Context, caller remuda.Caller, dataset string, threshold int) (groups []DuplicateGroup, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	var hashes []store.PHash
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		hashes, err = tx.PHashes(dataset)
		return err
	})
	if err != nil {
		return nil, err
	}
	known, _ := split(hashes)
	stay, err := imageio.Distinct(fingerprints(known), threshold)
	if err != nil {
		return nil, err
	}
	keeps := make(map[int]bool, len(stay))
	for _, i := range stay {
		keeps[i] = true
	}
	others := make(map[int][]store.PHash)
	for i, h := range known {
		if !keeps[i] {
			nearest := slices.MinFunc(stay, func(a, b int) int {
				return imageio.Distance(known[a].Bits, h.Bits) - imageio.Distance(known[b].Bits, h.Bits)
			})
			others[nearest] = append(others[nearest], h)
		}
	}
	for _, i := range stay {
		if len(others[i]) > 0 {
			groups = append(groups, DuplicateGroup{Keep: known[i], Others: others[i]})
		}
	}
	return groups, nil
}

// mostDistinct returns n of ids whose images differ most: beginning with the
// first, always the one whose nearest chosen one is farthest by perceptual hash
// (Gonzalez's farthest-first traversal, 1985), of equal ones the first. Images
// without a hash come last.
func mostDistinct(ids []string, hashes []store.PHash, n int) []string {
	byItem := make(map[string]store.PHash, len(hashes))
	for _, h := range hashes {
		byItem[h.Item] = h
	}
	unknown := func(id string) bool { return !byItem[id].Known }
	rest := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !unknown(id) })
	known := slices.DeleteFunc(slices.Clone(ids), unknown)
	return slices.Concat(farthestFirst(known, byItem, n), rest[:min(len(rest), max(0, n-len(known)))])
}

// farthestFirst returns n of ids as mostDistinct says; all have a hash.
func farthestFirst(ids []string, hashes map[string]store.PHash, n int) []string {
	bits := make([]uint64, len(ids))
	nearest := make([]int, len(ids)) // bits to the nearest chosen one; -1 once chosen
	for i, id := range ids {
		bits[i], nearest[i] = hashes[id].Bits, 65
	}
	var chosen []string
	for len(chosen) < min(n, len(ids)) {
		next := 0
		for i, d := range nearest {
			if d > nearest[next] {
				next = i
			}
		}
		nearest[next] = -1
		chosen = append(chosen, ids[next])
		for i := range nearest {
			nearest[i] = min(nearest[i], imageio.Distance(bits[next], bits[i]))
		}
	}
	return chosen
}
