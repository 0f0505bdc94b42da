package blob

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"
)

// Swept counts what a Sweep did.
type Swept struct {
	Kept    int   // blobs that are still there
	Removed int   // blobs that are not
	Bytes   int64 // of the removed blobs
	Derived int   // derived objects removed, whose blobs are gone
	Temp    int   // leftovers of interrupted puts removed
}

// Sweep removes the blobs that keep does not want, what is derived from blobs
// that are gone, and leftovers of interrupted puts: of each only what was last
// put or touched before a time. That must lie further back than the longest
// moment between a Put or Touch and the commit of what refers to the blob, and
// than any upload takes: a day is generous. keep is asked once for each old
// blob; its error ends the sweep.
//
// In a folder a blob that any process puts or touches meanwhile stays. In a
// bucket that holds for this process; another's may lose against the removal
// of the same unwanted bytes in the same instant, so that a bucket is best
// swept by the process that takes the uploads.
func (s *Store) Sweep(ctx context.Context, keep func(Ref) (bool, error), before time.Time) (Swept, error) {
	var swept Swept
	for b := range 256 {
		if err := s.sweepFan(ctx, byte(b), keep, before, &swept); err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
	}
	for obj, err := range s.medium.list(ctx, temp) {
		if err == nil {
			err = s.removeOld(ctx, obj, before, &swept.Temp)
		}
		if err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
	}
	return swept, nil
}

// sweepFan sweeps the refs that begin with b.
func (s *Store) sweepFan(ctx context.Context, b byte, keep func(Ref) (bool, error), before time.Time, swept *Swept) error {
	alive := make(map[Ref]bool)
	for info, err := range s.listFan(ctx, b) {
		if err != nil {
			return err
		}
		removed, err := s.sweepBlob(ctx, info, keep, before)
		if err != nil {
			return err
		}
		if removed {
			swept.Removed++
			swept.Bytes += info.Size
		} else {
			swept.Kept++
			alive[info.Ref] = true
		}
	}
	for obj, err := range s.medium.list(ctx, derived+fan(b)) {
		if err != nil {
			return err
		}
		hash, _, _ := strings.Cut(path.Base(obj.key), ".")
		if ref, err := ParseRef(hash); err != nil || alive[ref] {
			continue
		}
		if err := s.removeOld(ctx, obj, before, &swept.Derived); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepBlob(ctx context.Context, info Info, keep func(Ref) (bool, error), before time.Time) (removed bool, err error) {
	if !info.ModTime.Before(before) {
		return false, nil
	}
	if wanted, err := keep(info.Ref); wanted || err != nil {
		return false, err
	}
	return s.medium.removeBefore(ctx, info.Ref.key(), before)
}

func (s *Store) removeOld(ctx context.Context, obj object, before time.Time, count *int) error {
	removed, err := s.medium.removeBefore(ctx, obj.key, before)
	if removed {
		*count++
	}
	return err
}
