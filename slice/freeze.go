package slice

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"remuda"
)

// Pin is an item of a frozen slice: its image and the revisions of its
// annotations as they were.
type Pin struct {
	ItemID      string
	ImageHash   string // SHA-256 of the image's bytes, 64 lower-case hexadecimal digits
	Annotations []PinnedAnnotation
}

// PinnedAnnotation is a revision of an annotation, which never changes.
type PinnedAnnotation struct {
	ID       string
	Revision int64 // from 1
}

// ContentHash returns the hash of a frozen slice, 64 lower-case hexadecimal
// digits: SHA-256 of what [WriteManifest] writes. It depends neither on the
// order of the items nor on that of their annotations.
func ContentHash(pins []Pin) (string, error) {
	h := sha256.New()
	if err := WriteManifest(h, pins); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// WriteManifest writes the canonical encoding of a frozen slice, in UTF-8 with
// a line feed after each line:
//
//	remuda slice 1
//	items 2
//	item 4:img1 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 annotations 1
//	annotation 3:ann 7
//	item 4:img2 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 annotations 0
//
// An id stands after its length in bytes and a colon, so that no id can be
// taken for another line. Items, and the annotations under each, are sorted by
// the bytes of their ids. An error is invalid where a pin cannot be right (two
// of one id, no id, an image hash that is none, a revision below 1), or the
// writer's.
func WriteManifest(w io.Writer, pins []Pin) error {
	pins = slices.Clone(pins)
	slices.SortFunc(pins, func(a, b Pin) int { return cmp.Compare(a.ItemID, b.ItemID) })
	if err := checkPins(pins); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "remuda slice 1\nitems %d\n", len(pins)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	for _, pin := range pins {
		if err := writePin(w, pin); err != nil {
			return err
		}
	}
	return nil
}

func writePin(w io.Writer, pin Pin) error {
	annotations := slices.Clone(pin.Annotations)
	slices.SortFunc(annotations, func(a, b PinnedAnnotation) int { return cmp.Compare(a.ID, b.ID) })
	if err := checkAnnotations(pin.ItemID, annotations); err != nil {
		return err
	}
	line := fmt.Appendf(nil, "item %d:%s %s annotations %d\n", len(pin.ItemID), pin.ItemID, pin.ImageHash, len(annotations))
	for _, a := range annotations {
		line = fmt.Appendf(line, "annotation %d:%s %d\n", len(a.ID), a.ID, a.Revision)
	}
	if _, err := w.Write(line); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// checkPins takes pins sorted by id.
func checkPins(pins []Pin) error {
	for i, pin := range pins {
		switch {
		case pin.ItemID == "":
			return remuda.Errorf(remuda.Invalid, "freeze slice: an item has no id")
		case i > 0 && pins[i-1].ItemID == pin.ItemID:
			return remuda.Errorf(remuda.Invalid, "freeze slice: item %q is in it twice", pin.ItemID)
		case !isSHA256(pin.ImageHash):
			return remuda.Errorf(remuda.Invalid, "freeze slice: the image of item %q has no SHA-256: %q", pin.ItemID, pin.ImageHash)
		}
	}
	return nil
}

// checkAnnotations takes annotations sorted by id.
func checkAnnotations(item string, annotations []PinnedAnnotation) error {
	for i, a := range annotations {
		switch {
		case a.ID == "":
			return remuda.Errorf(remuda.Invalid, "freeze slice: an annotation of item %q has no id", item)
		case i > 0 && annotations[i-1].ID == a.ID:
			return remuda.Errorf(remuda.Invalid, "freeze slice: annotation %q of item %q is in it twice", a.ID, item)
		case a.Revision < 1:
			return remuda.Errorf(remuda.Invalid, "freeze slice: annotation %q of item %q has revision %d, the first is 1", a.ID, item, a.Revision)
		}
	}
	return nil
}

func isSHA256(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
