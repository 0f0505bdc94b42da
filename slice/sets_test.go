package slice

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"remuda"
)

func TestSetOperationsKeepOrder(t *testing.T) {
	a, b := strings.Fields("c a d a b"), strings.Fields("e b e c f")
	for _, c := range []struct {
		name, want string
		got        []string
	}{
		{"union", "c a d b e f", Union(a, b)},
		{"union with nothing", "c a d b", Union(a, nil)},
		{"intersection", "c b", Intersect(a, b)},
		{"intersection the other way", "b c", Intersect(b, a)},
		{"intersection with nothing", "", Intersect(a, nil)},
		{"difference", "a d", Subtract(a, b)},
		{"difference the other way", "e f", Subtract(b, a)},
		{"difference of nothing", "", Subtract(nil, b)},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if !slices.Equal(a, strings.Fields("c a d a b")) {
		t.Errorf("the operand has changed: %q", a)
	}
}

func names(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("di_%d", i)
	}
	return ids
}

func shuffled(t *rapid.T, ids []string) []string {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
	other := slices.Clone(ids)
	r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	return other
}

func sorted(ids []string) []string { return slices.Sorted(slices.Values(ids)) }

// The values pin the method: whoever changes it changes everybody's samples.
// They were computed in Python, too.
func TestSampleIsPinned(t *testing.T) {
	ids := strings.Fields("a b c d e f g h i j")
	for seed, want := range map[uint64]string{0: "b e h j", 1: "d e h j"} {
		if got := strings.Join(Sample(ids, 4, seed), " "); got != want {
			t.Errorf("seed %d: %q, want %q", seed, got, want)
		}
	}
}

func TestSampleDependsOnTheSetAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := names(rapid.IntRange(0, 60).Draw(t, "ids"))
		n, seed := rapid.IntRange(-1, 70).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		got := Sample(ids, n, seed)
		if want := max(0, min(n, len(ids))); len(got) != want {
			t.Fatalf("%d of %d are %d", n, len(ids), len(got))
		}
		if !slices.Equal(got, Intersect(ids, got)) {
			t.Fatalf("%q is not in the order given", got)
		}
		twice := append(shuffled(t, ids), ids...)
		if again := Sample(twice, n, seed); !slices.Equal(sorted(again), sorted(got)) {
			t.Fatalf("in another order, each twice: %q, then %q", got, again)
		}
		if fewer := Sample(ids, n-1, seed); len(Subtract(fewer, got)) > 0 {
			t.Fatalf("one less is %q, no part of %q", fewer, got)
		}
		if n > 0 && n <= len(ids) {
			without := Sample(Subtract(ids, got[:1]), n, seed)
			if lost := Subtract(got[1:], without); len(lost) > 0 {
				t.Fatalf("without %s, %q are gone too", got[0], lost)
			}
		}
	})
}

// Each id must come about as often as any other: 2,000 draws of 10 out of 40
// give each 500 ± 19.4 (binomial); six deviations have room.
func TestSampleIsFair(t *testing.T) {
	ids, often := names(40), make(map[string]int)
	for seed := range uint64(2000) {
		for _, id := range Sample(ids, 10, seed) {
			often[id]++
		}
	}
	for _, id := range ids {
		if math.Abs(float64(often[id])-500) > 6*math.Sqrt(2000*0.25*0.75) {
			t.Errorf("%s came %d times of 2000, about 500 were due", id, often[id])
		}
	}
}

func members(spec string) []Member {
	var list []Member
	for _, group := range strings.Fields(spec) { // 6×horse+dog
		var n int
		times, categories, _ := strings.Cut(group, "×")
		fmt.Sscan(times, &n)
		for range n {
			m := Member{ID: fmt.Sprintf("%s_%d", categories, len(list))}
			if categories != "none" {
				m.Categories = strings.Split(categories, "+")
			}
			list = append(list, m)
		}
	}
	return list
}

func TestSampleByCategoryKeepsShares(t *testing.T) {
	for _, c := range []struct {
		name, members string
		n             int
		want          string // how many of each group
	}{
		{"exact shares", "60×horse 30×dog 10×none", 10, "dog 3 horse 6 none 1"},
		{"largest remainder", "50×horse 30×dog 20×cat", 7, "cat 1 dog 2 horse 4"}, // 3.5, 2.1, 1.4
		{"equal remainders go to the smaller", "15×horse 5×dog", 2, "dog 1 horse 1"},
		{"then to the first by name", "5×horse 5×dog 5×cat", 2, "cat 1 dog 1"},
		{"an item counts for its rarest", "90×horse 10×horse+dog", 10, "horse 9 horse+dog 1"},
		{"a category counts once an item", "40×horse+horse+horse+dog 40×dog", 10, "dog 5 horse+horse+horse+dog 5"},
		{"all", "3×horse 2×dog", 9, "dog 2 horse 3"},
		{"none", "3×horse 2×dog", 0, ""},
		{"fewer than none", "3×horse", -2, ""},
		{"of nothing", "", 3, ""},
	} {
		list := members(c.members)
		got := SampleByCategory(list, c.n, 7)
		count := make(map[string]int)
		for _, id := range got {
			group, _, _ := strings.Cut(id, "_")
			count[group]++
		}
		var parts []string
		for group, n := range count {
			parts = append(parts, fmt.Sprintf("%s %d", group, n))
		}
		slices.Sort(parts)
		if said := strings.Join(parts, " "); said != c.want {
			t.Errorf("%s: %q, want %q", c.name, said, c.want)
		}
	}
}

func TestSampleByCategoryDependsOnTheSetAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Member
		for _, id := range names(rapid.IntRange(1, 40).Draw(t, "items")) {
			categories := rapid.SliceOfN(rapid.SampledFrom(strings.Fields("horse dog cat cow")), 0, 3).Draw(t, "categories")
			list = append(list, Member{id, categories})
		}
		n, seed := rapid.IntRange(0, 45).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		got := SampleByCategory(list, n, seed)
		if len(got) != min(n, len(list)) || len(Union(got, nil)) != len(got) {
			t.Fatalf("%d of %d are %q", n, len(list), got)
		}
		other := slices.Clone(list)
		slices.Reverse(other)
		again := SampleByCategory(append(other, list...), n, seed)
		slices.Reverse(again)
		if !slices.Equal(again, got) {
			t.Fatalf("in reverse, each twice: %q, then %q", got, again)
		}
		strata, ids := stratify(list)
		for _, s := range strata {
			exact := float64(len(s.ids)) * float64(len(got)) / float64(len(ids))
			if had := len(Intersect(s.ids, got)); math.Abs(float64(had)-exact) >= 1 {
				t.Fatalf("category %q has %d, its share is %g", s.category, had, exact)
			}
		}
	})
}

func hash(c string) string { return strings.Repeat(c, 64) }

func pins() []Pin {
	return []Pin{
		{"img2", hash("b"), nil},
		{"img1", hash("a"), []PinnedAnnotation{{"ann2", 1}, {"ann10", 7}}},
	}
}

// The manifest is a contract: the hashes of frozen slices depend on each byte.
func TestManifestIsPinned(t *testing.T) {
	want := "remuda slice 1\nitems 2\n" +
		"item 4:img1 " + hash("a") + " annotations 2\nannotation 5:ann10 7\nannotation 4:ann2 1\n" +
		"item 4:img2 " + hash("b") + " annotations 0\n"
	var got strings.Builder
	if err := WriteManifest(&got, pins()); err != nil || got.String() != want {
		t.Errorf("wrote\n%s%v\nwant\n%s", got.String(), err, want)
	}
	const golden = "b758f26a34fc836fbd84c68e8b3df068a8723475c513a78e6627a74117d43c53" // by Python's hashlib too, as the next
	if got, err := ContentHash(pins()); err != nil || got != golden {
		t.Errorf("hash %s, %v, want %s", got, err, golden)
	}
	const goldenEmpty = "9f4ffa5787296d8ed13d1cc2a28bc1e3c24219b251b363e5f81365204a0b887c"
	if got, err := ContentHash(nil); err != nil || got != goldenEmpty {
		t.Errorf("hash of nothing %s, %v, want %s", got, err, goldenEmpty)
	}
}

func TestContentHashSeesEveryChangeAndNoOrder(t *testing.T) {
	frozen, err := ContentHash(pins())
	if err != nil {
		t.Fatal(err)
	}
	original := pins()
	slices.Reverse(original)
	slices.Reverse(original[0].Annotations)
	if again, err := ContentHash(original); err != nil || again != frozen {
		t.Errorf("in another order: %s, %v, want %s", again, err, frozen)
	}
	seen := map[string]string{frozen: "the original"}
	for name, change := range map[string]func(p []Pin) []Pin{
		"an image":           func(p []Pin) []Pin { p[0].ImageHash = hash("c"); return p },
		"images exchanged":   func(p []Pin) []Pin { p[0].ImageHash, p[1].ImageHash = p[1].ImageHash, p[0].ImageHash; return p },
		"an item's id":       func(p []Pin) []Pin { p[0].ItemID = "img3"; return p },
		"an item less":       func(p []Pin) []Pin { return p[1:] },
		"a revision":         func(p []Pin) []Pin { p[1].Annotations[0].Revision = 2; return p },
		"an annotation's id": func(p []Pin) []Pin { p[1].Annotations[0].ID = "ann3"; return p },
		"an annotation less": func(p []Pin) []Pin { p[1].Annotations = p[1].Annotations[:1]; return p },
		"annotation moved": func(p []Pin) []Pin {
			p[0].Annotations, p[1].Annotations = p[1].Annotations[:1], p[1].Annotations[1:]
			return p
		},
		"an id like a line":      func(p []Pin) []Pin { p[1].Annotations[0].ID = "ann2 1\nannotation 4:ann3"; return p },
		"digits on another side": func(p []Pin) []Pin { p[1].Annotations[0] = PinnedAnnotation{"ann", 21}; return p },
	} {
		got, err := ContentHash(change(pins()))
		if other, same := seen[got]; same || err != nil {
			t.Errorf("%s: hashes like %s, %v", name, other, err)
		}
		seen[got] = name
	}
}

func TestFreezeRefusesWhatCannotBe(t *testing.T) {
	for words, change := range map[string]func(p []Pin){
		"an item has no id":                    func(p []Pin) { p[0].ItemID = "" },
		`item "img1" is in it twice`:           func(p []Pin) { p[0].ItemID = "img1" },
		`image of item "img2" has no SHA-256`:  func(p []Pin) { p[0].ImageHash = "" },
		`image of item "img1" has no SHA-256`:  func(p []Pin) { p[1].ImageHash = hash("A") },
		`annotation of item "img1" has no id`:  func(p []Pin) { p[1].Annotations[0].ID = "" },
		`annotation "ann10" of item "img1" is`: func(p []Pin) { p[1].Annotations[0].ID = "ann10" },
		"has revision 0, the first is 1":       func(p []Pin) { p[1].Annotations[0].Revision = 0 },
	} {
		bad := pins()
		change(bad)
		_, err := ContentHash(bad)
		if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(fmt.Sprint(err), words) {
			t.Errorf("%v, want %s", err, words)
		}
	}
}

type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room--; f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestManifestSaysThatItCouldNotBeWritten(t *testing.T) {
	for room := range 3 {
		if err := WriteManifest(&full{room}, pins()); !errors.Is(err, errFull) {
			t.Errorf("after %d writes: %v", room, err)
		}
	}
}
