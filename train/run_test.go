package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"remuda"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

func testSpec(t *testing.T, change func(*remuda.TrainSpec)) remuda.TrainSpec {
	t.Helper()
	images := t.TempDir()
	spec := remuda.TrainSpec{Images: images, Recipe: testRecipe(t), Train: herd(t, images, 4)}
	spec.Recipe.Epochs = 2
	if change != nil {
		change(&spec)
	}
	return spec
}

// start makes a new run of the spec and trains it to its end.
func start(t *testing.T, e *tensor.Engine, spec remuda.TrainSpec) string {
	t.Helper()
	spec.Out = filepath.Join(t.TempDir(), "run")
	if err := Create(spec); err != nil {
		t.Fatal(err)
	}
	if err := Run(context.Background(), e, spec, ignore); err != nil {
		t.Fatal(err)
	}
	return spec.Out
}

func ignore(remuda.Event) error { return nil }

func modelOf(t *testing.T, out string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, remuda.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRunLeavesAModelAndItsCard(t *testing.T) {
	spec := testSpec(t, func(s *remuda.TrainSpec) {
		val := herd(t, s.Images, 2)
		s.Val = &val
	})
	out := start(t, enginetest.Open(t), spec)
	card, err := remuda.ReadCard(out)
	if err != nil {
		t.Fatal(err)
	}
	if card.Arch != spec.Recipe.Arch || len(card.Categories) != 2 || card.Weights == "" || card.Scores == nil || card.Threshold == nil {
		t.Errorf("the card is %+v", card)
	}
	events, err := ReadEvents(filepath.Join(out, remuda.EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	var steps, epochs int
	for _, e := range events {
		switch {
		case e.Step != nil:
			steps++
			if l := e.Step.Losses; !(l.Total > 0) || math.Abs(l.Total-l.Classifier-l.BoxReg-l.Objectness-l.RPNBoxReg) > 1e-4 {
				t.Errorf("step %d has losses %+v", e.Step.Step, l)
			}
		case e.Epoch != nil:
			epochs++
		}
	}
	if steps != 4 || epochs != 2 {
		t.Errorf("%d steps and %d epochs are logged, want 4 and 2", steps, epochs)
	}
	if page, err := os.ReadFile(filepath.Join(out, remuda.ReportFile)); err != nil || !bytes.Contains(page, []byte("<html")) {
		t.Errorf("the report: %v", err)
	}
}

func epochsIn(t *testing.T, out string) (n int) {
	t.Helper()
	events, err := ReadEvents(filepath.Join(out, remuda.EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Epoch != nil {
			n++
		}
	}
	return n
}

func TestInterruptedRunEndsWithTheSameBits(t *testing.T) {
	e := enginetest.Open(t)
	for name, change := range map[string]func(*remuda.TrainSpec){
		"plain": nil,
		"averaged and validated": func(s *remuda.TrainSpec) {
			s.Recipe.EMA, s.Recipe.ScaleJitter = 0.9, 0.2
			val := herd(t, s.Images, 2)
			s.Val = &val
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := testSpec(t, change)
			want := modelOf(t, start(t, e, spec))
			for _, stopAt := range []int{1, 2, 4} { // 2 and 4 end an epoch: its validation is interrupted
				if stopAt == 4 && spec.Val == nil {
					continue // which is done by then
				}
				spec.Out, spec.Resume = filepath.Join(t.TempDir(), "run"), false
				if err := Create(spec); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				err := Run(ctx, e, spec, func(event remuda.Event) error {
					if event.Step != nil && event.Step.Step == stopAt {
						cancel()
					}
					return nil
				})
				if !errors.Is(err, ErrInterrupted) {
					t.Fatalf("stopped at step %d: %v", stopAt, err)
				}
				spec.Resume = true
				if err := Run(context.Background(), e, spec, ignore); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(modelOf(t, spec.Out), want) {
					t.Errorf("stopped after step %d and resumed, the model differs", stopAt)
				}
				if n := epochsIn(t, spec.Out); n != 2 {
					t.Errorf("stopped after step %d and resumed, %d epochs are logged, want 2", stopAt, n)
				}
			}
		})
	}
}

func TestKilledRunEndsWithTheSameBits(t *testing.T) {
	e := enginetest.Open(t)
	spec := testSpec(t, nil)
	want := modelOf(t, start(t, e, spec))
	// What a kill leaves at any moment is what the folder holds at that moment: before the
	// first checkpoint, and between the first and the second.
	for _, killAt := range []int{1, 3} {
		spec.Out, spec.Resume = filepath.Join(t.TempDir(), "run"), false
		if err := Create(spec); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(t.TempDir(), "left")
		stop := errors.New("killed")
		err := Run(context.Background(), e, spec, func(event remuda.Event) error {
			if event.Step == nil || event.Step.Step != killAt {
				return nil
			}
			return errors.Join(stop, os.CopyFS(left, os.DirFS(spec.Out)))
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		again, err := ReadSpec(left)
		if err != nil {
			t.Fatal(err)
		}
		again.Resume = true
		if err := Run(context.Background(), e, again, ignore); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(modelOf(t, left), want) {
			t.Errorf("killed after step %d and resumed, the model differs", killAt)
		}
	}
}

func TestNonFiniteLossNamesTheImages(t *testing.T) {
	spec := testSpec(t, func(s *remuda.TrainSpec) { s.Recipe.LR, s.Recipe.WarmupEpochs = 1e12, 0 })
	spec.Out = filepath.Join(t.TempDir(), "run")
	if err := Create(spec); err != nil {
		t.Fatal(err)
	}
	err := Run(context.Background(), enginetest.Open(t), spec, ignore)
	if remuda.CodeOf(err) != remuda.Invalid || !bytes.Contains([]byte(err.Error()), []byte(".png")) {
		t.Errorf("a run that diverges gave %v", err)
	}
}
