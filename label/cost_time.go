package label

import (
	"cmp"
	"slices"
	"time"
)

// Span is a stretch of time in which the page saw the person at work: keys,
// pointer, wheel. Seconds count from when the page opened the task, by a clock
// that can't be set, so that a wrong time of day does no harm.
type Span struct {
	Page string  `json:"page"` // one opening of the task; a reload is another
	From float64 `json:"from"` // seconds
	To   float64 `json:"to"`
}

// DefaultIdle is how long a person may look without moving and still be at
// work.
const DefaultIdle = 30 * time.Second

// ActiveTime returns how long a person worked on a task: the spans of a page
// together, with the gaps between them that are not longer than idle, and never
// more than wall, the time between lease and submit, whatever the page
// reported. Opening the page is a sign of work as well. Spans that overlap
// count once; those that end before they begin, begin before the page, or
// aren't numbers do not count.
func ActiveTime(spans []Span, idle, wall time.Duration) time.Duration {
	most := max(0, wall.Seconds())
	spans = slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return !(s.From >= 0 && s.To >= s.From) })
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.From, b.From)) })
	var active, end float64
	page := ""
	for _, s := range spans {
		if s.To = min(s.To, most); s.From >= s.To {
			continue
		}
		if s.Page != page {
			page, end = s.Page, 0
		}
		if gap := s.From - end; gap > 0 && gap <= idle.Seconds() {
			active += gap
		}
		active += max(0, s.To-max(s.From, end))
		end = max(end, s.To)
	}
	return time.Duration(min(active, most) * float64(time.Second))
}
