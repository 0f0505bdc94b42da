package label

import (
	"slices"
	"time"

	"remuda/internal/stat"
)

// Scored is how many boxes of a quality task a person had right, of how many
// (Comparison.Accuracy).
type Scored struct {
	At      time.Time `json:"at"`
	Correct int       `json:"correct"`
	Of      int       `json:"of"`
}

// Standing is a person's accuracy at a time: over the tasks of a window that
// ends there.
type Standing struct {
	At       time.Time `json:"at"`
	Tasks    int       `json:"tasks"`
	Accuracy Rate      `json:"accuracy"` // of boxes
}

// Below reports whether the accuracy is surely below a bar, 0 to 1: the whole
// interval is. One bad task among few is not enough for that. The 2.5 % chance
// of being wrong is for one look; who looks after every task is wrong about
// people right at the bar more often.
func (s Standing) Below(bar float64) bool { return s.Accuracy.Interval[1] < bar }

// Accuracy returns a person's accuracy after every quality task, oldest first,
// each over the last window tasks, or all up to there where window is 0. Tasks
// with nothing to count, or with impossible counts, are left out.
func Accuracy(scored []Scored, window int) []Standing {
	scored = slices.DeleteFunc(slices.Clone(scored), func(s Scored) bool { return s.Of <= 0 || s.Correct < 0 || s.Correct > s.Of })
	slices.SortStableFunc(scored, func(a, b Scored) int { return a.At.Compare(b.At) })
	var counts []stat.Count
	var track []Standing
	for i, s := range scored {
		counts = append(counts, stat.Count{Hits: float64(s.Correct), Of: float64(s.Of)})
		from := 0
		if window > 0 {
			from = max(0, i+1-window)
		}
		track = append(track, Standing{At: s.At, Tasks: i + 1 - from, Accuracy: NewRate(counts[from:])})
	}
	return track
}
