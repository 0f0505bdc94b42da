package label

import (
	"remuda"
	"remuda/internal/stat"
)

// Tally counts the audits of a random sample of a batch's tasks.
type Tally struct {
	Population int `json:"population"` // completed tasks that the sample was drawn from
	Sampled    int `json:"sampled"`    // drawn
	Audited    int `json:"audited"`    // of the sampled
	Fixed      int `json:"fixed"`      // of the audited, as their first audit found them
	Rejected   int `json:"rejected"`
}

// Count tallies the sampled ones among tasks, which were drawn from so many. An
// audit of a task that isn't in the sample is left out: somebody picked it.
func Count(tasks []Task, population int) Tally {
	tally := Tally{Population: population}
	for _, t := range tasks {
		if !t.Sampled {
			continue
		}
		tally.Sampled++
		for _, w := range t.Work {
			if w.Stage != Auditing {
				continue
			}
			tally.Audited++
			switch w.Verdict {
			case Fixed:
				tally.Fixed++
			case Rejected:
				tally.Rejected++
			}
			break
		}
	}
	return tally
}

// Unseen is how many of the tasks that nobody audited are wrong.
type Unseen struct {
	Tasks    int      `json:"tasks"`    // that were not audited
	Rate     float64  `json:"rate"`     // the wrong ones' share, estimated by that among the audited; 0 to 1
	Interval Interval `json:"interval"` // of the rate, 95 %
}

// Unseen estimates the error rate of the tasks that were not audited, where a
// task is wrong when its audit fixed or rejected it. The interval is the exact
// one for a sample drawn without replacement (stat.Rest), for which the audited
// tasks must be a random part of the sample. With none audited there is no
// estimate.
func (y Tally) Unseen() (Unseen, error) {
	wrong := y.Fixed + y.Rejected
	if y.Audited < 1 || y.Audited > y.Population || wrong < 0 || wrong > y.Audited {
		return Unseen{}, remuda.Errorf(remuda.Invalid, "estimate an error rate from %d audits of %d tasks", y.Audited, y.Population).
			WithHint("audit at least one task of a random sample")
	}
	u := Unseen{Tasks: y.Population - y.Audited}
	if u.Tasks == 0 {
		return u, nil
	}
	low, high := stat.Rest(wrong, y.Audited, y.Population)
	u.Rate = float64(wrong) / float64(y.Audited)
	u.Interval = Interval{float64(low) / float64(u.Tasks), float64(high) / float64(u.Tasks)}
	return u, nil
}
