package label

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"remuda/internal/stat"
)

// Checked is a person's answer beside the audited one of the same image.
type Checked struct {
	Task       string
	Person     string
	Answer     Answer
	Truth      Answer   // after the audit
	Confidence *float64 // the person's own in the answer, 0 to 1; nil where not asked
	Feedback   string   // of the person, on the instructions
}

// Reports say how well people draw: all together and each. They advise and stop
// nobody.
type Reports struct {
	All    Report   `json:"all"`
	People []Report `json:"people"` // by name
}

// Report is how one person's answers, or everyone's, differ from the audited
// ones. Boxes stand for one object at an IoU of Options.IoU; one that is off by
// more is missed and extra. Images with several answers are one image for the
// intervals.
type Report struct {
	Person  string `json:"person,omitempty"`
	Images  int    `json:"images"`
	Answers int    `json:"answers"`

	Missed     Rate        `json:"missed"`     // of the true boxes
	Extra      Rate        `json:"extra"`      // of the drawn boxes
	Confused   Rate        `json:"confused"`   // of the true boxes that were located: those under another category
	Confusions []Confusion `json:"confusions"` // most frequent first

	IoU   Mean `json:"iou"`   // of located boxes
	Bias  Bias `json:"bias"`  // of their edges
	Size  Mean `json:"size"`  // drawn area over true area, geometric mean: 1.1 is a tenth too large
	Tight Rate `json:"tight"` // of located boxes: all edges within Options.Tight pixels

	Score  Mean `json:"score"`  // F1 at IoU ≥ 0.5, categories regarded: twice the found boxes over the boxes of both sides
	Strict Mean `json:"strict"` // the same at IoU ≥ 0.75

	Voices  Voices `json:"voices"`
	Warning string `json:"warning,omitempty"` // a sentence without its full stop, when the score is below Options.Bar
}

// Confusion is how often boxes of one category were drawn under another.
type Confusion struct {
	Truth string `json:"truth"`
	Drawn string `json:"drawn"`
	Boxes int    `json:"boxes"`
}

// Voices are what people said about their own answers and the instructions.
type Voices struct {
	Confidence Mean    `json:"confidence"` // 0 to 1, over those who gave one
	Sure       Mean    `json:"sure"`       // score of the answers given with a confidence of 0.5 or more
	Unsure     Mean    `json:"unsure"`     // and with less: where people doubt with reason, it is lower
	Feedback   []Voice `json:"feedback"`
}

// Voice is one person's word on the instructions.
type Voice struct {
	Task   string `json:"task"`
	Person string `json:"person"`
	Text   string `json:"text"`
}

// Calibrate reports on answers that were audited.
func Calibrate(checked []Checked, o Options) Reports {
	o = o.WithDefaults()
	c := Reports{All: report(checked, o), People: []Report{}}
	people := make(map[string][]Checked)
	for _, one := range checked {
		people[one.Person] = append(people[one.Person], one)
	}
	for _, name := range slices.Sorted(maps.Keys(people)) {
		r := report(people[name], o)
		r.Person = name
		c.People = append(c.People, r)
	}
	return c
}

// measured is what the answers to one image add to a report.
type measured struct {
	missed, extra, confused, tight stat.Count
	row                            []stat.Ratio
	sure, unsure, confidence       stat.Ratio
}

func report(checked []Checked, o Options) Report {
	r := Report{Answers: len(checked), Confusions: []Confusion{}, Voices: Voices{Feedback: []Voice{}}}
	images := make(map[string]*measured)
	var order []*measured
	confusions := make(map[Confusion]int)
	for _, one := range checked {
		m := images[one.Task]
		if m == nil {
			m = &measured{row: make([]stat.Ratio, columns)}
			images[one.Task] = m
			order = append(order, m)
		}
		m.add(one, confusions, o)
		if one.Feedback != "" {
			r.Voices.Feedback = append(r.Voices.Feedback, Voice{one.Task, one.Person, one.Feedback})
		}
	}
	r.Images = len(order)
	for c, n := range confusions {
		c.Boxes = n
		r.Confusions = append(r.Confusions, c)
	}
	slices.SortFunc(r.Confusions, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(b.Boxes, a.Boxes), cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Drawn, b.Drawn))
	})
	r.measure(order, o)
	if r.Score.Images > 0 && r.Score.Value < o.Bar {
		r.Warning = warning(r.Score, o.Bar)
	}
	return r
}

// add counts one answer.
func (m *measured) add(one Checked, confusions map[Confusion]int, o Options) {
	c := Compare(one.Answer, one.Truth, o.IoU)
	located := c.located()
	tally := func(count *stat.Count, hits, of int) {
		count.Hits += float64(hits)
		count.Of += float64(of)
	}
	tally(&m.missed, len(c.Missed), len(one.Truth.Boxes))
	tally(&m.extra, len(c.Extra), len(one.Answer.Boxes))
	tally(&m.confused, len(c.Confused), len(located))
	for _, p := range c.Confused {
		confusions[Confusion{Truth: one.Truth.Boxes[p.B].Category, Drawn: one.Answer.Boxes[p.A].Category}]++
	}
	for _, p := range located {
		drawn, truth := one.Answer.Boxes[p.A], one.Truth.Boxes[p.B]
		place(m.row, drawn, truth, p.IoU)
		m.tight.Of++
		if outward(drawn, truth).within(o.Tight) {
			m.tight.Hits++
		}
	}
	score := ratio(Compare(one.Answer, one.Truth, looseIoU))
	strict := ratio(Compare(one.Answer, one.Truth, strictIoU))
	sum(&m.row[columnScore], score)
	sum(&m.row[columnStrict], strict)
	if one.Confidence == nil || !(*one.Confidence >= 0 && *one.Confidence <= 1) {
		return
	}
	sum(&m.confidence, stat.Ratio{Over: *one.Confidence, Under: 1})
	if *one.Confidence >= 0.5 {
		sum(&m.sure, score)
	} else {
		sum(&m.unsure, score)
	}
}

func sum(total *stat.Ratio, r stat.Ratio) {
	total.Over += r.Over
	total.Under += r.Under
}

func ratio(c Comparison) stat.Ratio {
	over, under := c.halves()
	return stat.Ratio{Over: over, Under: under}
}

// measure fills in the rates and means.
func (r *Report) measure(images []*measured, o Options) {
	if len(images) == 0 {
		images = []*measured{{row: make([]stat.Ratio, columns)}}
	}
	rate := func(of func(*measured) stat.Count) Rate {
		counts := make([]stat.Count, len(images))
		for i, m := range images {
			counts[i] = of(m)
		}
		return NewRate(counts)
	}
	r.Missed = rate(func(m *measured) stat.Count { return m.missed })
	r.Extra = rate(func(m *measured) stat.Count { return m.extra })
	r.Confused = rate(func(m *measured) stat.Count { return m.confused })
	r.Tight = rate(func(m *measured) stat.Count { return m.tight })
	var rows [][]stat.Ratio
	for _, m := range images {
		rows = append(rows, append(m.row, m.confidence, m.sure, m.unsure))
	}
	e := means(rows, o)
	r.Score, r.Strict, r.IoU = e[columnScore], e[columnStrict], e[columnIoU]
	r.Size = exponential(e[columnSize])
	r.Bias = Bias{e[columnLeft], e[columnTop], e[columnRight], e[columnBottom]}
	r.Voices.Confidence, r.Voices.Sure, r.Voices.Unsure = e[columns], e[columns+1], e[columns+2]
}

// exponential turns a mean of logarithms into a geometric mean.
func exponential(m Mean) Mean {
	if m.Images == 0 {
		return m
	}
	m.Value = math.Exp(m.Value)
	if m.Interval != nil {
		m.Interval = &Interval{math.Exp(m.Interval[0]), math.Exp(m.Interval[1])}
	}
	return m
}

func warning(score Mean, bar float64) string {
	interval := ""
	if score.Interval != nil {
		interval = fmt.Sprintf(" (%.2f to %.2f)", score.Interval[0], score.Interval[1])
	}
	return fmt.Sprintf("the score of %.2f%s on %d images is below %.2f: look at what was missed, extra and confused, and say it in the instructions before more is labeled", score.Value, interval, score.Images, bar)
}
