package label

import (
	"bytes"
	"math"
	"testing"
)

// attempts returns every attempt at a real task, of all rounds, beside what is
// truly there.
func (s *simulation) attempts() (checked []Checked) {
	for _, t := range s.tasks {
		for _, w := range t.Work {
			if t.Kind == Real && w.Stage == Attempting {
				checked = append(checked, Checked{Task: t.ID, Person: w.By, Answer: *w.Answer, Truth: s.truth[t.ID]})
			}
		}
	}
	return checked
}

// Ensure reports on the work of 50 people find the habits of each, in about as
// many of 100 cases as their intervals say.
func TestReportsRecoverTheHabitsOfSimulatedPeople(t *testing.T) {
	s := simulated()
	people := make(map[string]*worker)
	for _, w := range s.people {
		people[w.ID] = w
	}
	held, measured := make(map[string]int), make(map[string]int)
	hold := func(name string, i Interval, truth float64) {
		measured[name]++
		if i[0] <= truth && truth <= i[1] {
			held[name]++
		}
	}
	reports := Calibrate(s.attempts(), Options{Draws: 400})
	for _, r := range reports.People {
		w := people[r.Person]
		hold("missed", r.Missed.Interval, w.miss)
		hold("confused", r.Confused.Interval, w.confuse)
		for _, edge := range []struct {
			off   Mean
			truth float64
		}{{r.Bias.Left, -w.bias.Left}, {r.Bias.Top, -w.bias.Top}, {r.Bias.Right, w.bias.Right}, {r.Bias.Bottom, w.bias.Bottom}} {
			if edge.off.Interval != nil {
				hold("edges", *edge.off.Interval, edge.truth)
			}
		}
		if hopeless := w.miss > 0.4; hopeless && r.Warning == "" {
			t.Errorf("%s misses %.2f, and nobody is warned: %+v", r.Person, w.miss, r.Score)
		}
	}
	for name, least := range map[string]int{"missed": 36, "confused": 36, "edges": 4 * 36} {
		if n := measured[name]; n < least || float64(held[name]) < 0.9*float64(n) {
			t.Errorf("%s: %d of %d intervals hold the truth", name, held[name], n)
		}
	}
}

func TestSimulatedConsensusIsBetterThanTheMeanAttempt(t *testing.T) {
	s := simulated()
	var merged, mean tally
	var doubled []Doubled
	for _, x := range s.tasks {
		d := x.Doubled()
		if x.Kind != Real || len(d.Answers) < 2 {
			continue
		}
		doubled = append(doubled, d)
		for _, a := range d.Answers {
			mean.add(Compare(a, s.truth[x.ID], 0.5))
		}
		merged.add(Compare(Merge(d.Answers, Options{}).Answer(), s.truth[x.ID], 0.5))
	}
	if merged.f1() < mean.f1()+0.02 || merged.iou() < mean.iou()+0.02 {
		t.Errorf("merged F1 %.3f and IoU %.3f, mean attempt %.3f and %.3f", merged.f1(), merged.iou(), mean.f1(), mean.iou())
	}
	c := NoiseCeiling(doubled, Options{Draws: 200})
	if c.Images < 400 || c.F1.Value >= mean.f1() || c.F1.Value < mean.f1()*mean.f1()-0.05 {
		t.Errorf("two people agree by %.3f on %d images, each with the truth by %.3f", c.F1.Value, c.Images, mean.f1())
	}
}

// Ensure nothing is lost between tasks and ledger: what people did, paid by the
// hour, is what batches, people and images cost together.
func TestSimulatedCostsAddUp(t *testing.T) {
	s := simulated()
	var efforts []Effort
	var yields []Yield
	hours := 0.0
	for _, x := range s.tasks {
		done, yield := x.Efforts()
		efforts = append(efforts, done...)
		if yield != nil {
			yields = append(yields, *yield)
		}
		for _, w := range x.Work {
			hours += w.Active.Hours()
			if w.Active > w.At.Sub(w.Since) {
				t.Fatalf("%s was active for longer than they had task %s", w.By, x.ID)
			}
		}
	}
	wage := Price{PerHour: 15}
	l := NewLedger(efforts, yields, Prices{Currency: "EUR", Attempt: wage, Review: wage, Audit: wage})
	sum := func(lines []Line) (cost float64) {
		for _, line := range lines {
			cost += line.Cost
		}
		return cost
	}
	for name, cost := range map[string]float64{"total": l.Total.Cost, "batches": sum(l.Batches), "people": sum(l.People), "tasks and quality tasks": sum(l.Tasks) + l.overhead.Cost} {
		if math.Abs(cost-15*hours) > 1e-6 {
			t.Errorf("%s: %g, want %g", name, cost, 15*hours)
		}
	}
	var out bytes.Buffer
	if err := l.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	if rows, want := bytes.Count(out.Bytes(), []byte("\n")), 2+len(l.Batches)+len(l.People)+len(l.Tasks); rows != want || l.Total.Images != len(yields) {
		t.Errorf("%d rows, want %d; %d images of %d", rows, want, l.Total.Images, len(yields))
	}
}
