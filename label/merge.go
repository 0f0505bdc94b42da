package label

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"remuda/geom"
)

// Merged is one result made of several answers to an image, with everything
// that they disagree about.
type Merged struct {
	Attempts   int            `json:"attempts"`
	Boxes      []MergedBox    `json:"boxes"`                // kept ones and others, by the first attempt that drew them
	Attributes map[string]any `json:"attributes,omitempty"` // of the image
	Split      []string       `json:"split,omitempty"`      // the image's attributes that not all gave alike
	Agreement  float64        `json:"agreement"`            // the mean of all boxes', 0 to 1; 1 without boxes
}

// MergedBox is an object that at least one attempt drew.
type MergedBox struct {
	Box        Box            `json:"box"`
	Kept       bool           `json:"kept"`  // at least half of the attempts drew it
	Votes      int            `json:"votes"` // attempts that drew it
	Categories map[string]int `json:"categories"`
	// Agreement is the mean IoU over all pairs of attempts, a pair counting 0 where one
	// drew nothing or named another category: 1 for edge to edge the same by everyone.
	// A single attempt agrees with itself, which says nothing.
	Agreement float64  `json:"agreement"`
	Spread    Edges    `json:"spread"`          // pixels between the lowest and the highest of every edge
	Split     []string `json:"split,omitempty"` // attributes that not all gave alike
	Members   []Member `json:"members"`         // ascending by attempt
}

// Member is a box of an attempt, both counted from 0.
type Member struct {
	Attempt int `json:"attempt"`
	Box     int `json:"box"`
}

// Edges is a number for every edge of a box.
type Edges struct {
	Left   float64 `json:"left"`
	Top    float64 `json:"top"`
	Right  float64 `json:"right"`
	Bottom float64 `json:"bottom"`
}

// Answer returns the merged result: the boxes that were kept.
func (m Merged) Answer() Answer {
	answer := Answer{Boxes: []Box{}, Attributes: m.Attributes}
	for _, b := range m.Boxes {
		if b.Kept {
			answer.Boxes = append(answer.Boxes, b.Box)
		}
	}
	return answer
}

// Disputed returns the boxes about which the attempts differ in presence, in
// category or in an attribute.
func (m Merged) Disputed() (boxes []MergedBox) {
	for _, b := range m.Boxes {
		if b.Votes < m.Attempts || len(b.Categories) > 1 || len(b.Split) > 0 {
			boxes = append(boxes, b)
		}
	}
	return boxes
}

// Merge makes one result of the answers of one or more people to an image.
//
// Boxes stand for one object when they overlap by o.IoU on average. Starting
// from the attempt that agrees most with the others, the boxes of each next
// one are assigned to the objects so far, within their category, so that the
// sum of IoUs is greatest; then objects of any category that overlap as much
// and were drawn by different attempts are taken for one, whose category is
// disputed. An object has at most one box of an attempt.
//
// Presence is decided by votes: an object is kept when at least half of the
// attempts drew it, so of two attempts each one's boxes are kept, since people
// overlook more than they invent. Category and attributes go by majority, ties
// to the attempt that agrees most with the others. Every edge is the mean of
// the members' without its lowest and highest from three members on (Tukey's
// trimmed mean): one careless person doesn't move it beyond the others. Boxes
// without area, or with an edge that isn't a number, are left out.
func Merge(attempts []Answer, o Options) Merged {
	o = o.WithDefaults()
	m := Merged{Attempts: len(attempts), Boxes: []MergedBox{}, Agreement: 1}
	g := grouping{attempts: attempts, least: o.IoU, order: byAgreement(attempts, o.IoU)}
	for _, objects := range g.perCategory() {
		g.objects = append(g.objects, objects...)
	}
	g.join()
	for _, members := range g.objects {
		m.Boxes = append(m.Boxes, g.merge(members))
	}
	slices.SortFunc(m.Boxes, func(a, b MergedBox) int { return before(a.Members[0], b.Members[0]) })
	nameApart(m.Boxes)
	var sum float64
	for _, b := range m.Boxes {
		sum += b.Agreement
	}
	if len(m.Boxes) > 0 {
		m.Agreement = sum / float64(len(m.Boxes))
	}
	var given []map[string]any
	for _, i := range g.order {
		given = append(given, attempts[i].Attributes)
	}
	m.Attributes, m.Split = vote(given)
	return m
}

func before(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Box, b.Box))
}

// byAgreement returns the attempts' numbers, the one that overlaps most with
// the others first, so that a careless first attempt doesn't decide the rest.
func byAgreement(attempts []Answer, least float64) []int {
	total := make([]float64, len(attempts))
	order := make([]int, len(attempts))
	for i := range attempts {
		order[i] = i
		for j := range i {
			for _, p := range Compare(attempts[i], attempts[j], least).Found {
				total[i] += p.IoU
				total[j] += p.IoU
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(total[b], total[a]) })
	return order
}

// object is the boxes that stand for one thing, at most one of an attempt, in
// the order in which the attempts are trusted.
type object []Member

type grouping struct {
	attempts []Answer
	order    []int // attempts, the most trusted first
	least    float64
	objects  []object
}

func (g *grouping) box(m Member) Box { return g.attempts[m.Attempt].Boxes[m.Box] }

// perCategory returns the objects of every category.
func (g *grouping) perCategory() [][]object {
	drawn := make([]map[string][]int, len(g.attempts))
	for i, a := range g.attempts {
		drawn[i] = byCategory(a.Boxes)
	}
	var all [][]object
	for _, category := range categories(drawn...) {
		var objects []object
		for _, attempt := range g.order {
			objects = g.assign(objects, attempt, drawn[attempt][category])
		}
		all = append(all, objects)
	}
	return all
}

// assign adds the boxes of an attempt to the objects that they stand for, and
// the others as new objects.
func (g *grouping) assign(objects []object, attempt int, boxes []int) []object {
	boxes = slices.DeleteFunc(slices.Clone(boxes), func(i int) bool { return !drawable(g.attempts[attempt].Boxes[i].Box) })
	taken := make([]bool, len(boxes))
	for _, p := range match(len(objects), len(boxes), g.least, func(i, j int) float64 {
		return g.overlap(objects[i], object{{attempt, boxes[j]}})
	}) {
		taken[p.B] = true
		objects[p.A] = append(objects[p.A], Member{attempt, boxes[p.B]})
	}
	for j, box := range boxes {
		if !taken[j] {
			objects = append(objects, object{{attempt, box}})
		}
	}
	return objects
}

// overlap is the mean IoU of the pairs between two objects.
func (g *grouping) overlap(a, b object) float64 {
	var sum float64
	for _, m := range a {
		for _, n := range b {
			sum += overlap(g.box(m).Box, g.box(n).Box)
		}
	}
	return sum / float64(len(a)*len(b))
}

// join makes one of objects that overlap, whatever their categories, those that
// overlap most first.
func (g *grouping) join() {
	var open, whole []object // those that all attempts drew have nothing to join with
	for _, o := range g.objects {
		if len(o) < len(g.attempts) {
			open = append(open, o)
		} else {
			whole = append(whole, o)
		}
	}
	var near []Pair
	for j := range open {
		for i := range j {
			if v := g.overlap(open[i], open[j]); v >= g.least {
				near = append(near, Pair{i, j, v})
			}
		}
	}
	slices.SortStableFunc(near, func(a, b Pair) int { return cmp.Compare(b.IoU, a.IoU) })
	in := make([]int, len(open)) // where an object's members are now
	for i := range in {
		in[i] = i
	}
	for _, p := range near {
		a, b := in[p.A], in[p.B]
		if g.shareAttempt(open[a], open[b]) || g.overlap(open[a], open[b]) < g.least {
			continue
		}
		open[a] = append(open[a], open[b]...)
		open[b] = nil
		for i := range in {
			if in[i] == b {
				in[i] = a
			}
		}
	}
	g.objects = append(whole, slices.DeleteFunc(open, func(o object) bool { return o == nil })...)
}

func (g *grouping) shareAttempt(a, b object) bool {
	return slices.ContainsFunc(a, func(m Member) bool {
		return slices.ContainsFunc(b, func(n Member) bool { return m.Attempt == n.Attempt })
	})
}

// merge makes one box of an object's members.
func (g *grouping) merge(members object) MergedBox {
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Compare(slices.Index(g.order, a.Attempt), slices.Index(g.order, b.Attempt))
	})
	m := MergedBox{Votes: len(members), Kept: 2*len(members) >= len(g.attempts), Categories: make(map[string]int), Agreement: 1}
	var boxes []geom.Box
	var given []map[string]any
	for _, member := range members {
		b := g.box(member)
		m.Categories[b.Category]++
		boxes = append(boxes, b.Box)
		given = append(given, b.Attributes)
	}
	m.Box.Category = g.box(members[0]).Category
	for _, member := range members {
		if c := g.box(member).Category; m.Categories[c] > m.Categories[m.Box.Category] {
			m.Box.Category = c
		}
	}
	m.Box.Attributes, m.Split = vote(given)
	m.Box.Box, m.Spread = mergeEdges(boxes)
	if n := len(g.attempts); n > 1 {
		m.Agreement = g.agreed(members) / float64(n*(n-1)/2)
	}
	slices.SortFunc(members, before)
	m.Members = members
	m.Box.ID = g.box(members[0]).ID
	return m
}

// agreed is the sum of IoUs over the pairs of members in one category.
func (g *grouping) agreed(members object) (sum float64) {
	for i, m := range members {
		for _, n := range members[:i] {
			if g.box(m).Category == g.box(n).Category {
				sum += overlap(g.box(m).Box, g.box(n).Box)
			}
		}
	}
	return sum
}

// mergeEdges returns the trimmed mean of every edge and how far apart the
// outermost lie.
func mergeEdges(boxes []geom.Box) (geom.Box, Edges) {
	edge := func(of func(geom.Box) float64) (mean, spread float64) {
		values := make([]float64, len(boxes))
		for i, b := range boxes {
			values[i] = of(b)
		}
		slices.Sort(values)
		spread = values[len(values)-1] - values[0]
		if len(values) > 2 {
			values = values[1 : len(values)-1]
		}
		for _, v := range values {
			mean += (v - values[0]) / float64(len(values)) // equal edges stay as they are, to the bit
		}
		return values[0] + mean, spread
	}
	var b geom.Box
	var s Edges
	b.X0, s.Left = edge(func(b geom.Box) float64 { return b.X0 })
	b.Y0, s.Top = edge(func(b geom.Box) float64 { return b.Y0 })
	b.X1, s.Right = edge(func(b geom.Box) float64 { return b.X1 })
	b.Y1, s.Bottom = edge(func(b geom.Box) float64 { return b.Y1 })
	return b, s
}

// vote returns the value of every attribute that most gave, the first of
// equals, and the names of those that not all gave alike. Not to give an
// attribute is a vote as well.
func vote(given []map[string]any) (won map[string]any, split []string) {
	names := make(map[string]bool)
	for _, attributes := range given {
		for name := range attributes {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		votes := make(map[string]int)
		best := 0
		for i, attributes := range given {
			votes[ballot(attributes, name)]++
			if i > 0 && ballot(attributes, name) != ballot(given[0], name) && !slices.Contains(split, name) {
				split = append(split, name)
			}
		}
		for i, attributes := range given {
			if votes[ballot(attributes, name)] > votes[ballot(given[best], name)] {
				best = i
			}
		}
		if value, ok := given[best][name]; ok {
			if won == nil {
				won = make(map[string]any)
			}
			won[name] = value
		}
	}
	return won, split
}

// ballot is an attribute's value as text to compare by, "" where there is none.
func ballot(attributes map[string]any, name string) string {
	value, ok := attributes[name]
	if !ok {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil { // such as NaN, which can't have come over the wire
		return fmt.Sprintf("%v", value)
	}
	return string(text)
}

// nameApart gives boxes whose id another has already one of their own.
func nameApart(boxes []MergedBox) {
	taken := make(map[string]bool)
	for i := range boxes {
		id := boxes[i].Box.ID
		for n := 2; taken[boxes[i].Box.ID]; n++ {
			boxes[i].Box.ID = fmt.Sprintf("%s-%d", id, n)
		}
		taken[boxes[i].Box.ID] = true
	}
}
