package train

import (
	"os"
	"path/filepath"
	"testing"

	"remuda"
)

func TestCreateRefusesAFolderThatIsTaken(t *testing.T) {
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Create(remuda.TrainSpec{Out: taken}); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a folder of something else gave %v", err)
	}
	out := filepath.Join(t.TempDir(), "a", "run")
	if err := Create(remuda.TrainSpec{Out: out}); err != nil {
		t.Fatal(err)
	}
	if err := Create(remuda.TrainSpec{Out: out}); remuda.CodeOf(err) != remuda.Conflict || remuda.HintOf(err) == "" {
		t.Errorf("a second run in one folder gave %v", err)
	}
	if err := Create(remuda.TrainSpec{Out: filepath.Join(taken, "notes.txt")}); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a file as the run's folder gave %v", err)
	}
}

func TestReadSpecFollowsAMovedFolder(t *testing.T) {
	root := t.TempDir()
	from, to := filepath.Join(root, "a"), filepath.Join(root, "b")
	if err := Create(remuda.TrainSpec{Out: from, Images: "pictures"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	spec, err := ReadSpec(to)
	if err != nil || spec.Out != to || spec.Images != "pictures" {
		t.Errorf("got %+v, %v", spec, err)
	}
	if _, err := ReadSpec(from); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("a folder that is gone gave %v", err)
	}
}

func TestOpenFolderLocksOutASecondProcess(t *testing.T) {
	path := t.TempDir()
	first, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(path); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a second lock gave %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	second, err := openFolder(path)
	if err != nil {
		t.Fatalf("after the first is done: %v", err)
	}
	second.close()
}

func TestOpenEventsForgetsWhatWillBeDoneAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), remuda.EventsFile)
	lines := `{"start":{"engine":"","items":0,"epochs":0,"steps_per_epoch":0,"step":0}}
{"step":{"step":1,"epoch":1,"lr":0,"losses":{"total":0,"classifier":0,"box_reg":0,"objectness":0,"rpn_box_reg":0},"images":2,"seconds":0,"wait":0}}
{"save":{"step":1,"file":"c"}}
{"step":{"step":2,"epoch":1,"lr":0,"losses":{"total":0,"classifier":0,"box_reg":0,"objectness":0,"rpn_box_reg":0},"images":2,"seconds":0,"wait":0}}
{"step":{"st`
	if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := openEvents(path, state{Step: 1}, func(remuda.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := log.write(remuda.Event{Step: &remuda.StepEvent{Step: 2}}); err != nil {
		t.Fatal(err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	events, err := ReadEvents(path)
	if err != nil || len(events) != 4 || events[2].Save == nil || events[3].Step.Step != 2 {
		t.Errorf("the log has %d events, %v", len(events), err)
	}
}

func TestOpenEventsForgetsAnEpochThatTheCheckpointHasNotClosed(t *testing.T) {
	for _, c := range []struct {
		seconds float64 // spent on an epoch that is not closed
		want    int
	}{{0, 2}, {3, 1}} {
		path := filepath.Join(t.TempDir(), remuda.EventsFile)
		lines := `{"step":{"step":2,"epoch":1}}` + "\n" + `{"epoch":{"epoch":1,"step":2}}` + "\n"
		if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		log, err := openEvents(path, state{Step: 2, Seconds: c.seconds}, func(remuda.Event) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		log.close()
		if events, err := ReadEvents(path); err != nil || len(events) != c.want {
			t.Errorf("after %g seconds of an open epoch the log has %d events, %v; want %d", c.seconds, len(events), err, c.want)
		}
	}
}
