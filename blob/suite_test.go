package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"remuda"
	"remuda/blob"
)

// world is a location that a test of the suite runs on.
type world struct {
	store *blob.Store
	// damage changes stored bytes behind the store's back.
	damage func(t *testing.T, ref blob.Ref, data []byte)
}

// everywhere runs a test on each medium.
func everywhere(t *testing.T, test func(t *testing.T, w world)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T) world{"folder": folderWorld, "s3": s3World} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func mustPut(t *testing.T, s *blob.Store, data []byte) blob.Ref {
	t.Helper()
	ref, size, err := s.Put(t.Context(), bytes.NewReader(data), 0)
	if err != nil {
		t.Fatalf("put %d bytes: %v", len(data), err)
	}
	if ref != blob.RefOf(data) || size != int64(len(data)) {
		t.Fatalf("put %d bytes: got %s and size %d", len(data), ref, size)
	}
	return ref
}

func read(ctx context.Context, s *blob.Store, ref blob.Ref) ([]byte, error) {
	r, err := s.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func mustHave(t *testing.T, s *blob.Store, data []byte) {
	t.Helper()
	got, err := read(t.Context(), s, blob.RefOf(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %s: %d of %d bytes, error %v", blob.RefOf(data), len(got), len(data), err)
	}
}

func mustLack(t *testing.T, s *blob.Store, ref blob.Ref) {
	t.Helper()
	if _, err := s.Open(t.Context(), ref); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("open %s: got %v, want not_found", ref, err)
	}
	if _, err := s.Stat(t.Context(), ref); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("stat %s: got %v, want not_found", ref, err)
	}
}

func listed(t *testing.T, s *blob.Store) []blob.Ref {
	t.Helper()
	var refs []blob.Ref
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		refs = append(refs, info.Ref)
	}
	return refs
}

// noise returns bytes that differ from those of any other seed.
func noise(seed uint64, size int) []byte {
	var key [32]byte
	copy(key[:], fmt.Sprint("noise ", seed))
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return data
}

// soon is a time that everything put so far lies before.
func soon() time.Time { return time.Now().Add(time.Hour) }

func keepNone(blob.Ref) (bool, error) { return false, nil }

func TestWhatWasPutIsRead(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		start := time.Now()
		for seed, size := range []int{0, 1, 4096, 30_000, 20 << 20} {
			data := noise(uint64(seed), size)
			ref := mustPut(t, w.store, data)
			mustHave(t, w.store, data)
			info, err := w.store.Stat(t.Context(), ref)
			if err != nil || info.Ref != ref || info.Size != int64(size) {
				t.Errorf("stat: got %+v, %v", info, err)
			}
			if age := info.ModTime.Sub(start); age < -2*time.Second || age > time.Hour {
				t.Errorf("it was put at %v, the test began at %v", info.ModTime, start)
			}
		}
	})
}

func TestSameBytesAreStoredOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		data := noise(1, 5000)
		ref := mustPut(t, w.store, data)
		mustPut(t, w.store, data)
		if got := listed(t, w.store); !slices.Equal(got, []blob.Ref{ref}) {
			t.Errorf("listed %v, want %s once", got, ref)
		}
		mustHave(t, w.store, data)
	})
}

func TestTooLargeIsInvalidAndLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		data := noise(1, 5000)
		for _, size := range []int{1, 4999} {
			_, _, err := w.store.Put(t.Context(), iotest.HalfReader(bytes.NewReader(data)), int64(size))
			if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(remuda.HintOf(err), fmt.Sprint(size)) {
				t.Errorf("limit %d: got %v, hint %q", size, err, remuda.HintOf(err))
			}
		}
		if got := listed(t, w.store); len(got) > 0 {
			t.Errorf("listed %v", got)
		}
		if _, _, err := w.store.Put(t.Context(), bytes.NewReader(data), 5000); err != nil {
			t.Errorf("a file as large as the limit: %v", err)
		}
	})
}

func TestBrokenUploadLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		cut := errors.New("connection reset")
		for name, body := range map[string]io.Reader{
			"at once":    iotest.ErrReader(cut),
			"in between": io.MultiReader(bytes.NewReader(noise(1, 9<<20)), iotest.ErrReader(cut)),
		} {
			if _, _, err := w.store.Put(t.Context(), body, 0); !errors.Is(err, cut) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancelling := io.MultiReader(bytes.NewReader(noise(2, 100)), readerFunc(func(p []byte) (int, error) {
			cancel()
			return copy(p, "x"), nil
		}))
		if _, _, err := w.store.Put(ctx, cancelling, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
		if got := listed(t, w.store); len(got) > 0 {
			t.Errorf("listed %v", got)
		}
		swept, err := w.store.Sweep(t.Context(), keepNone, soon())
		if err != nil || swept != (blob.Swept{}) {
			t.Errorf("there was something to sweep: %+v, %v", swept, err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAbsentIsNotFound(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		ref := blob.RefOf([]byte("never put"))
		mustLack(t, w.store, ref)
		if err := w.store.Touch(t.Context(), ref); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("touch: got %v", err)
		}
		if _, err := w.store.Derived(t.Context(), ref, "thumb"); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("derived: got %v", err)
		}
		if err := w.store.Delete(t.Context(), ref); err != nil {
			t.Errorf("delete: got %v", err)
		}
	})
}

func TestDeleteTakesTheBlobAndWhatIsDerived(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		gone, stays := mustPut(t, w.store, noise(1, 100)), mustPut(t, w.store, noise(2, 100))
		for _, ref := range []blob.Ref{gone, stays} {
			if err := w.store.PutDerived(t.Context(), ref, "thumb-256.jpg", []byte("small")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.store.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		mustLack(t, w.store, gone)
		if _, err := w.store.Derived(t.Context(), gone, "thumb-256.jpg"); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("what was derived from it: got %v", err)
		}
		mustHave(t, w.store, noise(2, 100))
		if got, err := w.store.Derived(t.Context(), stays, "thumb-256.jpg"); err != nil || string(got) != "small" {
			t.Errorf("what was derived from the other: got %q, %v", got, err)
		}
	})
}

func TestDerivedIsReplacedAndChecked(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		ref := mustPut(t, w.store, noise(1, 100))
		for _, data := range []string{"first", "", "the second, longer"} {
			if err := w.store.PutDerived(t.Context(), ref, "t", []byte(data)); err != nil {
				t.Fatal(err)
			}
			if got, err := w.store.Derived(t.Context(), ref, "t"); err != nil || string(got) != data {
				t.Errorf("got %q, %v, want %q", got, err, data)
			}
		}
		for _, name := range []string{"", "a/b", "..\\x", "UPPER", "ä", strings.Repeat("x", 65)} {
			if err := w.store.PutDerived(t.Context(), ref, name, nil); remuda.CodeOf(err) != remuda.Invalid {
				t.Errorf("name %q: got %v", name, err)
			}
			if _, err := w.store.Derived(t.Context(), ref, name); remuda.CodeOf(err) != remuda.Invalid {
				t.Errorf("name %q: got %v", name, err)
			}
		}
	})
}

func TestListIsInOrderAndStopsWhenAsked(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		want := make(map[blob.Ref]bool)
		for seed := range uint64(40) {
			want[mustPut(t, w.store, noise(seed, 10))] = true
		}
		byRef := func(a, b blob.Ref) int { return bytes.Compare(a[:], b[:]) }
		all := slices.SortedFunc(maps.Keys(want), byRef)
		if got := listed(t, w.store); !slices.Equal(got, all) {
			t.Errorf("listed %d refs, want %d in order", len(got), len(all))
		}
		n := 0
		for range w.store.List(t.Context()) {
			if n++; n == 3 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range w.store.List(ctx) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("a cancelled list ended with %v", last)
		}
	})
}

func TestReadingAnywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		data := noise(1, 100_000)
		ref := mustPut(t, w.store, data)
		r, err := w.store.Open(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := iotest.TestReader(r, data); err != nil {
			t.Error(err)
		}
	})
}

// Ensure http.ServeContent, which seeks to the end for the size, reads no
// further than it promised and answers ranges, gets on with a Reader.
func TestServedWholeAndInRanges(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		data := noise(1, 100_000)
		ref := mustPut(t, w.store, data)
		serve := func(header, value string) *httptest.ResponseRecorder {
			r, err := w.store.Open(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set(header, value)
			rec := httptest.NewRecorder()
			http.ServeContent(rec, req, "", r.Info().ModTime, r)
			return rec
		}
		if rec := serve("Accept", "*/*"); rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), data) {
			t.Errorf("whole: status %d, %d bytes", rec.Code, rec.Body.Len())
		}
		if rec := serve("Range", "bytes=500-1499"); rec.Code != 206 || !bytes.Equal(rec.Body.Bytes(), data[500:1500]) {
			t.Errorf("range: status %d, %d bytes", rec.Code, rec.Body.Len())
		}
		if rec := serve("Range", "bytes=-100"); rec.Code != 206 || !bytes.Equal(rec.Body.Bytes(), data[len(data)-100:]) {
			t.Errorf("end: status %d, %d bytes", rec.Code, rec.Body.Len())
		}
	})
}

func TestChangedBytesAreSaidToBeCorrupt(t *testing.T) {
	flipped := noise(1, 50_000)
	flipped[30_000] ^= 1
	everywhere(t, func(t *testing.T, w world) {
		data := noise(1, 50_000)
		ref := mustPut(t, w.store, data)
		for name, wrong := range map[string][]byte{
			"one bit": flipped, "cut": data[:49_999], "longer": append(bytes.Clone(data), 0), "empty": nil, "zeros": make([]byte, 50_000),
		} {
			w.damage(t, ref, wrong)
			got, err := read(t.Context(), w.store, ref)
			if !errors.Is(err, blob.ErrCorrupt) || remuda.HintOf(err) == "" || !strings.Contains(err.Error(), ref.String()) {
				t.Errorf("%s: got %v", name, err)
			}
			if len(got) >= len(wrong) && len(wrong) > 0 {
				t.Errorf("%s: all of the wrong bytes were handed out", name)
			}
			r, err := w.store.Open(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			http.ServeContent(rec, httptest.NewRequest("GET", "/", nil), "x.jpg", time.Time{}, r)
			if r.Close(); len(wrong) > 0 && rec.Body.Len() >= len(wrong) {
				t.Errorf("%s: all of the wrong bytes were served", name)
			}
		}
		mustPut(t, w.store, data)
		mustHave(t, w.store, data)
	})
}

func TestSweepRemovesWhatIsOldAndUnwanted(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		wanted, unwanted := mustPut(t, w.store, noise(1, 100)), mustPut(t, w.store, noise(2, 100))
		for _, ref := range []blob.Ref{wanted, unwanted, blob.RefOf([]byte("gone long ago"))} {
			if err := w.store.PutDerived(t.Context(), ref, "thumb", []byte("small")); err != nil {
				t.Fatal(err)
			}
		}
		keep := func(ref blob.Ref) (bool, error) { return ref == wanted, nil }
		swept, err := w.store.Sweep(t.Context(), keep, time.Now().Add(-time.Hour))
		if want := (blob.Swept{Kept: 2}); err != nil || swept != want {
			t.Errorf("nothing is old: got %+v, %v", swept, err)
		}
		swept, err = w.store.Sweep(t.Context(), keep, soon())
		if want := (blob.Swept{Kept: 1, Removed: 1, Bytes: 100, Derived: 2}); err != nil || swept != want {
			t.Errorf("all is old: got %+v, %v, want %+v", swept, err, want)
		}
		mustLack(t, w.store, unwanted)
		mustHave(t, w.store, noise(1, 100))
		if _, err := w.store.Derived(t.Context(), wanted, "thumb"); err != nil {
			t.Errorf("derived from the wanted: %v", err)
		}
	})
}

func TestSweepStopsWhenNobodyKnowsWhatIsWanted(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		mustPut(t, w.store, noise(1, 100))
		locked := errors.New("database is locked")
		swept, err := w.store.Sweep(t.Context(), func(blob.Ref) (bool, error) { return false, locked }, soon())
		if !errors.Is(err, locked) || swept.Removed > 0 {
			t.Errorf("got %+v, %v", swept, err)
		}
		mustHave(t, w.store, noise(1, 100))
	})
}

// Ensure bytes that someone refers to anew while a sweep runs stay, by Touch
// and by Put alike, although the sweep has been told that nobody wants them.
func TestWhatIsPutOrTouchedDuringASweepStays(t *testing.T) {
	for _, how := range []string{"put", "touch"} {
		everywhere(t, func(t *testing.T, w world) {
			data := noise(1, 100)
			ref := mustPut(t, w.store, data)
			info, err := w.store.Stat(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			before := waitPast(t, w.store, info.ModTime)
			swept, err := w.store.Sweep(t.Context(), func(ref blob.Ref) (bool, error) {
				if how == "touch" {
					return false, w.store.Touch(t.Context(), ref)
				}
				mustPut(t, w.store, data)
				return false, nil
			}, before)
			if err != nil || swept.Removed != 0 || swept.Kept != 1 {
				t.Errorf("%s: got %+v, %v", how, swept, err)
			}
			mustHave(t, w.store, data)
		})
	}
}

// waitPast puts until something is younger than a time, and returns its time.
func waitPast(t *testing.T, s *blob.Store, then time.Time) time.Time {
	t.Helper()
	for {
		other := mustPut(t, s, []byte("another"))
		info, err := s.Stat(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime.After(then) {
			if err := s.Delete(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			return info.ModTime
		}
	}
}
