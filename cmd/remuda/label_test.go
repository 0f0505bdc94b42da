package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda/client"
	"remuda/wire"
)

// draws does all tasks that there are for someone, with boxes that are off by so
// many pixels.
func draws(t *testing.T, c *client.Client, off float64) (done int) {
	t.Helper()
	for {
		next, err := c.NextTask(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if next.Task == nil {
			return done
		}
		boxes := []wire.AnswerBox{{ID: "a", Category: "horse", Box: wire.Box{X0: 4 - off, Y0: 4, X1: 24, Y1: 24}}}
		got, err := c.SubmitTask(t.Context(), next.Task.Task, wire.Submission{Lease: next.Task.Lease, Answer: &wire.Answer{Boxes: boxes}, Feedback: "and foals?"})
		if err != nil || !got.Accepted {
			t.Fatalf("handed in: %+v, %v", got, err)
		}
		done++
	}
}

// audits fixes all results that were sampled.
func audits(t *testing.T, c *client.Client) {
	t.Helper()
	for {
		next, err := c.NextAudit(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if next.Task == nil {
			return
		}
		boxes := []wire.AnswerBox{{ID: "a", Category: "horse", Box: wire.Box{X0: 4, Y0: 4, X1: 24, Y1: 24}}}
		if _, err := c.SubmitTask(t.Context(), next.Task.Task, wire.Submission{Lease: next.Task.Lease, Verdict: "fixed", Answer: &wire.Answer{Boxes: boxes}}); err != nil {
			t.Fatal(err)
		}
	}
}

// has fails the test unless what a command prints has all the texts.
func (s *served) has(t *testing.T, texts []string, args ...string) string {
	t.Helper()
	out := s.must(t, args...)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("remuda %v prints no %q:\n%s", args, text, out)
		}
	}
	return out
}

func TestABatchFromItsSliceToItsReports(t *testing.T) {
	const images = 6
	s := serve(t)
	s.must(t, "dataset", "create", "horses")
	s.must(t, "dataset", "upload", "horses", writeJPEGs(t, images))
	s.must(t, "slice", "create", "horses", "all", "--all")
	guide := filepath.Join(t.TempDir(), "guide.md")
	if err := os.WriteFile(guide, []byte("tight boxes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(guide+".2", []byte("very tight boxes"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(t, "project", "create", "boxes", "--category", "horse", "--category", "cow", "--instruction", guide, "--attempts", "2")
	s.has(t, []string{"boxes", "horse, cow"}, "project", "ls")
	s.has(t, []string{"an hour"}, "project", "prices", "boxes", "--currency", "EUR", "--per-box", "0.5")
	s.has(t, []string{"6 tasks made", "batch finalize"}, "batch", "create", "first", "--project", "boxes", "--slice", "all", "--kind", "calibration")
	s.has(t, []string{"6 pending"}, "batch", "finalize", "first")
	s.has(t, []string{"first"}, "batch", "rank")
	for i, off := range []float64{0, 2} {
		key := strings.TrimSpace(must(t, "key", "create", "--data", s.data, "--role", "manager", string(rune('a'+i))))
		c, err := client.New(s.url, client.Options{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if done := draws(t, c, off); done != images {
			t.Errorf("%d tasks done", done)
		}
	}
	s.has(t, []string{"4 of 6 completed tasks sampled, 0 audited"}, "batch", "audit", "first", "--sample", "4")
	if got := s.must(t, "task", "ls", "--batch", "first"); strings.Count(got, "to be audited") != 4 {
		t.Errorf("the sample isn't shown:\n%s", got)
	}
	audits(t, s.client(t))
	s.has(t, []string{"4 audited: 4 fixed", "of the 2 that nobody audited, 100.0 % are wrong"}, "batch", "audit", "first")
	s.has(t, []string{"PERSON", "and foals?", "noise ceiling over 6 images"}, "batch", "report", "first")
	s.has(t, []string{"COST EUR", "6.00", "batch first"}, "batch", "cost", "first")
	s.has(t, []string{"scope,id,", "total,"}, "project", "cost", "boxes", "--csv")
	tasks := s.list(t, "first")
	audited := slices.IndexFunc(tasks.Tasks, func(t wire.Task) bool { return t.Review == "fixed" })
	made := strings.TrimSpace(s.must(t, "task", "quality", tasks.Tasks[audited].ID, "--kind", "training"))
	s.has(t, []string{made, "true"}, "project", "quality", "boxes", "--retire", made)
	s.has(t, []string{"http://calls.test/", "live_"}, "callback", "settings", "--url", "http://calls.test/")
	s.has(t, []string{"STATUS"}, "callback", "ls")
	s.must(t, "project", "archive", "boxes")
	s.must(t, "project", "archive", "boxes", "--back")
	s.has(t, []string{"attempts   3"}, "batch", "change", "first", "--attempts", "3", "--everyone")
	s.has(t, []string{"24.0 24.0", "attempt by"}, "task", "show", tasks.Tasks[0].ID)
	s.has(t, []string{"created", "completed"}, "task", "history", tasks.Tasks[0].ID)
	s.has(t, []string{"rejected"}, "task", "audit", tasks.Tasks[1].ID, "rejected", "--why", "loose")
	s.has(t, []string{"the taxonomy is at version 2", "6 completed tasks outdated", "goat"}, "project", "taxonomy", "boxes", "--category", "horse", "--category", "goat")
	s.has(t, []string{"version 2"}, "project", "instructions", "boxes", "--set", guide+".2")
	s.has(t, []string{"pending", "goats"}, "task", "relabel", tasks.Tasks[0].ID, "--why", "goats")
	if got := s.list(t, "first").Tasks[0]; got.Status != "pending" || got.Round != 2 {
		t.Errorf("labeled again: %+v", got)
	}
}

// list returns a batch's tasks.
func (s *served) list(t *testing.T, batch string) (tasks wire.Tasks) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, "task", "ls", "--batch", batch, "--json")), &tasks); err != nil {
		t.Fatal(err)
	}
	return tasks
}
