package label

import (
	"maps"
	"math"
	"slices"

	"remuda"
	"remuda/internal/stat"
)

// Price is what work of one stage is paid. Any of them may be 0.
type Price struct {
	PerHour  float64 `json:"per_hour,omitempty"`  // of active time
	PerImage float64 `json:"per_image,omitempty"` // handed in
	PerBox   float64 `json:"per_box,omitempty"`   // of the answer handed in
}

// Prices are what a project's work is paid, in one currency.
type Prices struct {
	Currency string `json:"currency"` // as it shall be shown, such as EUR
	Attempt  Price  `json:"attempt,omitzero"`
	Review   Price  `json:"review,omitzero"`
	Audit    Price  `json:"audit,omitzero"`
}

// Validate refuses prices below 0 or beyond a million, and ones without a
// currency.
func (p Prices) Validate() error {
	const most = 1e6
	paid := false
	for _, price := range []Price{p.Attempt, p.Review, p.Audit} {
		for _, v := range []float64{price.PerHour, price.PerImage, price.PerBox} {
			if !(v >= 0 && v <= most) {
				return remuda.Errorf(remuda.Invalid, "a price of %v", v).WithHint("give 0 to %d", int(most))
			}
			paid = paid || v > 0
		}
	}
	if paid && p.Currency == "" {
		return remuda.Errorf(remuda.Invalid, "prices without a currency").WithHint("name it, such as EUR")
	}
	return nil
}

// Of returns what an effort costs.
func (p Prices) Of(e Effort) float64 {
	price := map[Stage]Price{Attempting: p.Attempt, Reviewing: p.Review, Auditing: p.Audit}[e.Stage]
	return price.PerHour*e.Seconds/3600 + price.PerImage + price.PerBox*float64(e.Drawn)
}

// Effort is one attempt, review or audit that was handed in.
type Effort struct {
	Task, Batch, Person string
	Stage               Stage
	Quality             bool    // for a training or evaluation task: it costs, and yields no label
	Seconds             float64 // active, as ActiveTime has it
	Drawn               int     // boxes of the answer handed in; 0 for a verdict without one
	Accepted            int     // those of an attempt's boxes that the task's result has
}

// Yield is a completed task and the boxes of its result.
type Yield struct {
	Task, Batch string
	Boxes       int
}

// Line is what some work cost and brought.
type Line struct {
	ID      string  `json:"id"`      // "" for the total
	Images  int     `json:"images"`  // completed, that the work was on
	Boxes   int     `json:"boxes"`   // accepted: in results; of a person, those of their attempts that results have
	Drawn   int     `json:"drawn"`   // boxes handed in
	Seconds float64 `json:"seconds"` // active, on open tasks and quality tasks too
	Cost    float64 `json:"cost"`    // of all of that

	// Of the work on completed images and on quality tasks; 0 where there is
	// no image or box to divide by.
	SecondsPerImage float64 `json:"seconds_per_image"`
	CostPerImage    float64 `json:"cost_per_image"`
	SecondsPerBox   float64 `json:"seconds_per_box"` // accepted
	CostPerBox      float64 `json:"cost_per_box"`
}

// Ledger is what the work on a project or a batch cost: in all, by batch, by
// person and by image, each in ascending order of id.
type Ledger struct {
	Currency string `json:"currency"`
	Total    Line   `json:"total"`
	Batches  []Line `json:"batches"`
	People   []Line `json:"people"`
	Tasks    []Line `json:"tasks"` // real ones, completed and open

	completed map[string]bool
	overhead  Line // of quality tasks
}

// NewLedger adds up efforts. A task is completed when there is a yield of it.
func NewLedger(efforts []Effort, yields []Yield, prices Prices) Ledger {
	l := Ledger{Currency: prices.Currency, completed: make(map[string]bool)}
	var total account
	batches, people, tasks := make(accounts), make(accounts), make(accounts)
	for _, y := range yields {
		l.completed[y.Task] = true
		for _, a := range []*account{&total, batches.of(y.Batch), tasks.of(y.Task)} {
			a.Images++
			a.Boxes += y.Boxes
		}
	}
	var overhead account
	for _, e := range efforts {
		cost, completed := prices.Of(e), l.completed[e.Task]
		total.add(e, cost, completed)
		batches.of(e.Batch).add(e, cost, completed)
		if e.Quality {
			overhead.add(e, cost, completed)
		} else {
			tasks.of(e.Task).add(e, cost, completed)
		}
		person := people.of(e.Person)
		person.add(e, cost, completed)
		if completed {
			person.Boxes += e.Accepted
			person.tasks[e.Task] = true
			person.Images = len(person.tasks)
		}
	}
	l.Total, l.overhead = total.close(), overhead.close()
	l.Batches, l.People, l.Tasks = batches.close(), people.close(), tasks.close()
	return l
}

// account is a line that is being added up.
type account struct {
	Line
	tasks   map[string]bool // of a person: completed ones
	seconds float64         // on completed images and quality tasks
	cost    float64         // of these
}

func (a *account) add(e Effort, cost float64, completed bool) {
	a.Drawn += e.Drawn
	a.Seconds += e.Seconds
	a.Cost += cost
	if completed || e.Quality {
		a.seconds += e.Seconds
		a.cost += cost
	}
}

func (a *account) close() Line {
	if n := float64(a.Images); n > 0 {
		a.SecondsPerImage, a.CostPerImage = a.seconds/n, a.cost/n
	}
	if n := float64(a.Boxes); n > 0 {
		a.SecondsPerBox, a.CostPerBox = a.seconds/n, a.cost/n
	}
	return a.Line
}

type accounts map[string]*account

func (m accounts) of(id string) *account {
	if m[id] == nil {
		m[id] = &account{Line: Line{ID: id}, tasks: make(map[string]bool)}
	}
	return m[id]
}

func (m accounts) close() []Line {
	lines := []Line{}
	for _, id := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, m[id].close())
	}
	return lines
}

// Ahead is what is still to be spent at the rate so far.
type Ahead struct {
	Images  int      `json:"images"` // open
	Seconds Expected `json:"seconds"`
	Cost    Expected `json:"cost"`
}

// Expected is a forecast with the range that the truth lies in with 95 %
// probability.
type Expected struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Ahead forecasts what the open tasks will still take, from what the completed
// ones took, with their share of quality tasks, less what was spent on the open
// ones already. The range is the prediction interval of a sum of as many
// independent draws, mean ± Student's quantile × s·√(m + m²/n) for m open and n
// completed ones (Hahn and Meeker, Statistical Intervals, 1991); it supposes
// that the rest is like what was done, and nobody's order of work by
// difficulty. It is false below two completed tasks.
func (l Ledger) Ahead(open []string) (Ahead, bool) {
	var seconds, costs []float64
	spent := make(map[string]Line)
	for _, t := range l.Tasks {
		if l.completed[t.ID] {
			seconds, costs = append(seconds, t.Seconds), append(costs, t.Cost)
		} else {
			spent[t.ID] = t
		}
	}
	if len(seconds) < 2 {
		return Ahead{}, false
	}
	var before Line
	for _, id := range open {
		before.Seconds += spent[id].Seconds
		before.Cost += spent[id].Cost
	}
	return Ahead{
		Images:  len(open),
		Seconds: forecast(seconds, len(open), l.overhead.Seconds, before.Seconds),
		Cost:    forecast(costs, len(open), l.overhead.Cost, before.Cost),
	}, true
}

// forecast predicts the sum of m more values like the given ones.
func forecast(values []float64, m int, overhead, spent float64) Expected {
	n, open := float64(len(values)), float64(m)
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	reach := stat.Student(n-1) * math.Sqrt(squares/(n-1)) * math.Sqrt(open+open*open/n)
	quality := 1.0
	if sum > 0 {
		quality += overhead / sum
	}
	left := func(total float64) float64 { return max(0, total*quality-spent) }
	return Expected{left(open * mean), left(open*mean - reach), left(open*mean + reach)}
}
