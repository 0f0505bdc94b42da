package label

// Efforts returns everything that was handed in for the task, and what came of
// it, nil until a real task is completed.
func (t Task) Efforts() ([]Effort, *Yield) {
	var efforts []Effort
	result, labeled := t.Label()
	for _, w := range t.Work {
		e := Effort{Task: t.ID, Batch: t.Batch, Person: w.By, Stage: w.Stage, Quality: t.Kind != Real, Seconds: w.Active.Seconds()}
		if w.Answer != nil {
			e.Drawn = len(w.Answer.Boxes)
			if labeled && w.Stage == Attempting && w.Round == t.Round {
				e.Accepted = len(Compare(*w.Answer, result, looseIoU).Found)
			}
		}
		efforts = append(efforts, e)
	}
	if !labeled {
		return efforts, nil
	}
	return efforts, &Yield{Task: t.ID, Batch: t.Batch, Boxes: len(result.Boxes)}
}
