package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"remuda"
	"remuda/imageio"
	"remuda/internal/enginetest"
)

// Scripts that train and predict.
func TestEngineScripts(t *testing.T) {
	p := params(t, filepath.Join("testdata", "engine", "*.txt"))
	shim := sharedShim(t)
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		err := setup(env)
		env.Setenv("REMUDA_TORCH", os.Getenv("REMUDA_TORCH"))
		return errors.Join(err, prepare(env.WorkDir, shim))
	}
	testscript.Run(t, p)
}

// sharedShim builds the engine once for all tests, and skips them where the
// caller said that there is none.
func sharedShim(t *testing.T) string {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_ENGINE") == "1" {
		t.Skip("REMUDA_SKIP_ENGINE=1")
	}
	return enginetest.Shim(t)
}

// prepare makes a folder with four images of squares and their labels, and a
// cache in which the engine is.
func prepare(dir, shim string) error {
	cache := filepath.Join(dir, "cache")
	err := errors.Join(os.MkdirAll(cache, 0o755), os.MkdirAll(filepath.Join(dir, "shapes"), 0o755),
		os.Symlink(filepath.Dir(shim), filepath.Join(cache, "engine")))
	if err != nil {
		return err
	}
	var images, boxes []string
	for i := range 4 {
		x, y := 10+8*i, 6+5*i
		encoded, err := imageio.EncodeJPEG(square(x, y, 30), 90)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "shapes", fmt.Sprintf("%d.jpg", i)), encoded, 0o644); err != nil {
			return err
		}
		images = append(images, fmt.Sprintf(`{"id":%d,"file_name":"%d.jpg","width":96,"height":64}`, i+1, i))
		boxes = append(boxes, fmt.Sprintf(`{"id":%d,"image_id":%d,"category_id":1,"bbox":[%d,%d,30,30],"area":900,"iscrowd":0}`, i+1, i+1, x, y))
	}
	labels := fmt.Sprintf(`{"images":[%s],"annotations":[%s],"categories":[{"id":1,"name":"square"}]}`, strings.Join(images, ","), strings.Join(boxes, ","))
	return os.WriteFile(filepath.Join(dir, "shapes.json"), []byte(labels), 0o644)
}

// square draws a bright square on a dark ground.
func square(x, y, side int) *imageio.RGB {
	m := imageio.NewRGB(96, 64)
	for v := range m.Height {
		for u := range m.Width {
			level := byte(40 + (u*v)%17)
			if u >= x && u < x+side && v >= y && v < y+side {
				level = 220
			}
			for c := range 3 {
				m.Pix[3*(v*m.Width+u)+c] = level
			}
		}
	}
	return m
}

// remudaIn returns the command in a prepared folder.
func remudaIn(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("remuda", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REMUDA_CACHE="+filepath.Join(dir, "cache"))
	return cmd
}

func trainArgs(out string) []string {
	return []string{"train", "--images", "shapes", "--train", "shapes.json", "--out", out, "--json",
		"--arch", remuda.MobileNetV3Large320, "--weights", "starter", "--epochs", "3", "--threads", "1"}
}

// startTraining starts a run and returns once it has reported a step. The
// reader has the events that follow.
func startTraining(t *testing.T, cmd *exec.Cmd) (events *bufio.Reader, stderr *bytes.Buffer) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	events = bufio.NewReader(out)
	for {
		line, err := events.ReadBytes('\n')
		if err != nil {
			cmd.Wait()
			t.Fatalf("the run ended before its first step: %v\n%s", err, stderr)
		}
		var event remuda.Event
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if event.Step != nil {
			return events, stderr
		}
	}
}

// waitUntilFree returns once no process works in a run's folder.
func waitUntilFree(t *testing.T, run string) {
	t.Helper()
	f, err := os.Open(filepath.Join(run, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

func TestARunSurvivesCtrlCAndKills(t *testing.T) {
	shim, dir := sharedShim(t), t.TempDir()
	if err := prepare(dir, shim); err != nil {
		t.Fatal(err)
	}
	if out, err := remudaIn(dir, trainArgs("whole")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	resume := []string{"train", "--out", "run", "--resume", "--json"}

	// Ctrl-C: a checkpoint, and how to go on.
	cmd := remudaIn(dir, trainArgs("run")...)
	events, stderr := startTraining(t, cmd)
	second, err := remudaIn(dir, resume...).CombinedOutput()
	if exitStatus(err) != exitBadInput || !bytes.Contains(second, []byte("another process is training in run")) {
		t.Errorf("a second process on the same run: %v\n%s", err, second)
	}
	cmd.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, events)
	if err := cmd.Wait(); exitStatus(err) != exitInterrupted || !strings.Contains(stderr.String(), "hint: go on with `remuda train --out run --resume`") {
		t.Errorf("after Ctrl-C: %v\n%s", err, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "run", remuda.CheckpointFile)); err != nil {
		t.Errorf("Ctrl-C left no checkpoint: %v", err)
	}

	// kill -9 of the parent alone: no orphan goes on.
	cmd = remudaIn(dir, resume...)
	events, _ = startTraining(t, cmd)
	cmd.Process.Kill()
	io.Copy(io.Discard, events)
	cmd.Wait()
	waitUntilFree(t, filepath.Join(dir, "run"))

	if out, err := remudaIn(dir, resume...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole, err1 := os.ReadFile(filepath.Join(dir, "whole", remuda.ModelFile))
	again, err2 := os.ReadFile(filepath.Join(dir, "run", remuda.ModelFile))
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(whole, again) {
		t.Errorf("the interrupted run ended with other weights: %v", err)
	}
}

func TestCtrlCDuringPredictionBlamesNoImage(t *testing.T) {
	shim, dir := sharedShim(t), t.TempDir()
	if err := prepare(dir, shim); err != nil {
		t.Fatal(err)
	}
	if out, err := remudaIn(dir, trainArgs("run")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	args := []string{"predict", "--model", "run", "--json"}
	for range 50 {
		args = append(args, "shapes")
	}
	cmd := remudaIn(dir, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if _, err := lines.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, lines)
	err = cmd.Wait()
	if exitStatus(err) != exitInterrupted || !strings.HasSuffix(stderr.String(), "remuda: interrupted\n") || strings.Contains(stderr.String(), "signal") {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

func TestImagesThatChangedDuringARunAreNoticed(t *testing.T) {
	shim, dir := sharedShim(t), t.TempDir()
	if err := prepare(dir, shim); err != nil {
		t.Fatal(err)
	}
	cmd := remudaIn(dir, trainArgs("run")...)
	startTraining(t, cmd)
	cmd.Process.Kill()
	cmd.Wait()
	waitUntilFree(t, filepath.Join(dir, "run"))
	encoded, err := imageio.EncodeJPEG(square(0, 0, 5), 90)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shapes", "0.jpg"), encoded, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := remudaIn(dir, "train", "--out", "run", "--resume").CombinedOutput()
	if exitStatus(err) != exitBadInput || !bytes.Contains(out, []byte("have changed since the run was started")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func exitStatus(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}
