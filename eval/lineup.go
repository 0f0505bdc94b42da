package eval

// lineup is a column in one range of sizes, prepared for averages, which only
// add up weights along it.
type lineup struct {
	wrong  []int32 // images of the predictions that are false positives at every limit
	events []event // the others that count at some limit
	steps  [steps]stepLine
}

// event is a prediction that is a true positive or ignored at some limits.
type event struct {
	wrong int32 // plain false positives before it
	image int32
	tp    uint16
	rank  uint8
}

// stepLine is a lineup at one IoU limit.
type stepLine struct {
	hits    []int32 // images of the true positives
	rows    []row
	ignored []mark
}

// row is a stretch of true positives without a false one between them.
// Precision rises along it, so only its end can be the best at a recall.
type row struct {
	hits  int32 // true positives up to its end
	event int32 // the last of them
}

// mark is an event that is ignored.
type mark struct{ event, image int32 }

// lineUp prepares a range of a sorted column.
func (c *column) lineUp(r int) {
	l := &c.lines[r]
	for i, ig := range c.ig[r] {
		tp, image := c.tp[r][i], c.image[i]
		if tp|ig == 0 {
			l.wrong = append(l.wrong, image)
		}
		if tp|ig == 0 || ig == every {
			continue
		}
		at := int32(len(l.events))
		l.events = append(l.events, event{int32(len(l.wrong)), image, tp, c.rank[i]})
		for step := range l.steps {
			s := &l.steps[step]
			switch {
			case tp>>step&1 != 0:
				s.hit(image, at, l.broken(step, at))
			case ig>>step&1 != 0:
				s.ignored = append(s.ignored, mark{at, image})
			}
		}
	}
}

// broken reports whether a false positive lies between a step's last row and
// the event that is about to join it.
func (l *lineup) broken(step int, at int32) bool {
	s := &l.steps[step]
	if len(s.rows) == 0 {
		return true
	}
	last := s.rows[len(s.rows)-1].event
	if l.events[last].wrong != l.events[at].wrong {
		return true
	}
	between := at - last - 1 // events, of which the ignored don't count
	for i := len(s.ignored) - 1; i >= 0 && s.ignored[i].event > last; i-- {
		between--
	}
	return between > 0
}

// hit adds a true positive.
func (s *stepLine) hit(image, at int32, fresh bool) {
	s.hits = append(s.hits, image)
	end := row{int32(len(s.hits)), at}
	if fresh {
		s.rows = append(s.rows, end)
	} else {
		s.rows[len(s.rows)-1] = end
	}
}
