package label

// Checked returns the task's attempts beside the audited result; none before an
// audit has accepted or fixed it.
func (t Task) Checked() []Checked {
	audit, ok := t.Audit()
	truth, labeled := t.Label()
	if !ok || !labeled || audit.Verdict == Rejected {
		return nil
	}
	var checked []Checked
	for _, w := range t.Attempts() {
		checked = append(checked, Checked{
			Task: t.ID, Person: w.By, Answer: *w.Answer, Truth: truth,
			Confidence: w.Confidence, Feedback: w.Feedback,
		})
	}
	return checked
}

// Doubled returns the task's attempts as people's independent answers. It has
// fewer than two where only one person attempted the task.
func (t Task) Doubled() Doubled {
	d := Doubled{Task: t.ID}
	for _, w := range t.Attempts() {
		d.Answers = append(d.Answers, *w.Answer)
	}
	return d
}
