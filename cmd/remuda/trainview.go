package main

import (
	"fmt"
	"path/filepath"

	"remuda"
)

// trainView shows the events of a run: as JSON lines, as a bar on a terminal,
// or as lines now and then.
type trainView struct {
	m      *Main
	json   bool
	out    string
	bar    *bar
	start  remuda.StartEvent
	pace   float64 // seconds a step, a running mean
	images float64 // images a step, a running mean
}

func newTrainView(m *Main, asJSON bool, out string) *trainView {
	return &trainView{m: m, json: asJSON, out: out, bar: m.newBar()}
}

// paceMemory is the weight of the past in the running means, about 50 steps.
const paceMemory = 0.98

func (v *trainView) show(event remuda.Event, line []byte) error {
	if v.json {
		_, err := fmt.Fprintf(v.m.Stdout, "%s\n", line)
		return err
	}
	switch {
	case event.Start != nil:
		v.start = *event.Start
		return v.line("%s, %s: %s, %s of %s%s", v.start.Engine, v.start.Precision, count(v.start.Items, "image"), count(v.start.Epochs, "epoch"), count(v.start.StepsPerEpoch, "step"), resumedAt(v.start.Step))
	case event.Step != nil:
		v.step(*event.Step)
	case event.Epoch != nil:
		return v.epoch(*event.Epoch)
	case event.Done != nil:
		return v.done(*event.Done)
	}
	return nil
}

func resumedAt(step int) string {
	if step == 0 {
		return ""
	}
	return fmt.Sprintf(", going on after step %d", step)
}

// line prints a line that stays.
func (v *trainView) line(format string, args ...any) error {
	v.bar.clear()
	_, err := fmt.Fprintf(v.m.Stdout, format+"\n", args...)
	return err
}

func (v *trainView) step(s remuda.StepEvent) {
	if v.pace == 0 {
		v.pace, v.images = s.Seconds, float64(s.Images)
	}
	v.pace = paceMemory*v.pace + (1-paceMemory)*s.Seconds
	v.images = paceMemory*v.images + (1-paceMemory)*float64(s.Images)
	total := v.start.Epochs * v.start.StepsPerEpoch
	l := s.Losses
	v.bar.update(float64(s.Step)/float64(max(total, 1)), fmt.Sprintf("epoch %d/%d", s.Epoch, v.start.Epochs), fmt.Sprintf(
		"%.2f images/s  %s left  loss %.3f: class %.3f, box %.3f, objectness %.3f, proposal %.3f",
		v.images/max(v.pace, 1e-9), duration(float64(total-s.Step)*v.pace), l.Total, l.Classifier, l.BoxReg, l.Objectness, l.RPNBoxReg))
}

func (v *trainView) epoch(e remuda.EpochEvent) error {
	text := fmt.Sprintf("epoch %d/%d  loss %.3f  %s", e.Epoch, v.start.Epochs, e.Losses.Total, duration(e.Seconds))
	if e.Val != nil {
		text += fmt.Sprintf("  validation F1 %.3f at %.2f, AP %.3f", e.Val.F1, e.Val.Threshold, e.Val.AP)
	}
	if e.Best {
		text += "  (best)"
	}
	return v.line("%s", text)
}

func (v *trainView) done(d remuda.DoneEvent) error {
	text := fmt.Sprintf("trained in %s, at most %s of memory", duration(d.Seconds), byteCount(d.PeakRSS))
	if d.Card != nil && d.Card.Scores != nil {
		s := d.Card.Scores
		text += fmt.Sprintf("\nkept epoch %d: F1 %.3f (precision %.3f, recall %.3f) on validation at threshold %.3f", d.Card.Epoch, s.F1, s.Precision, s.Recall, s.Threshold)
	}
	return v.line("%s\nmodel:  %s\nreport: %s", text, filepath.Join(v.out, remuda.ModelFile), filepath.Join(v.out, remuda.ReportFile))
}
