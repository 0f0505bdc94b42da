package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"remuda/internal/postgrestest"
	"remuda/internal/servertest"
	"remuda/wire"
)

// killRounds is how often the server is killed; script/prove labeling asks for more.
func killRounds(t *testing.T) int {
	text := os.Getenv("REMUDA_KILL_ROUNDS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// api is a server as a program with a key calls it.
type api struct {
	url, key string
}

// call sends JSON, or what kind says, and reads a JSON answer. It fails where
// there is no answer, or one that isn't 2xx.
func (a api) call(t *testing.T, method, path, kind string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(t.Context(), method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.SetBasicAuth(a.key, "")
	r.Header.Set("Content-Type", kind)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (a api) json(t *testing.T, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return a.call(t, method, path, "application/json", text, into)
}

// must is json for what has to succeed.
func (a api) must(t *testing.T, method, path string, body, into any) {
	t.Helper()
	if err := a.json(t, method, path, body, into); err != nil {
		t.Fatal(err)
	}
}

// upload sends an image and returns what tasks name it by.
func (a api) upload(t *testing.T) string {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "a.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(part, image.NewRGBA(image.Rect(0, 0, 200, 150))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var file struct {
		URL string `json:"attachment_url"`
	}
	if err := a.call(t, http.MethodPost, "/v1/files/upload", w.FormDataContentType(), form.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	return file.URL
}

// handedIn is what was sent for a task, and whether that was acknowledged.
type handedIn struct {
	task, key    string
	body         wire.Submission
	acknowledged bool
}

// workUntil takes tasks and hands them in until the server is gone or there are
// no more.
func (a api) workUntil(t *testing.T, keep func(handedIn)) {
	for {
		var next wire.Next
		if err := a.json(t, http.MethodPost, "/api/v1/work/next", wire.NextTask{}, &next); err != nil || next.Task == nil {
			return
		}
		box := wire.AnswerBox{ID: "a", Category: "cow", Box: wire.Box{X0: 20, Y0: 20, X1: 120, Y1: 90}}
		h := handedIn{next.Task.Task, a.key, wire.Submission{Lease: next.Task.Lease, Answer: &wire.Answer{Boxes: []wire.AnswerBox{box}}}, false}
		var done wire.Submitted
		err := a.json(t, http.MethodPost, "/api/v1/work/"+h.task+"/submit", h.body, &done)
		h.acknowledged = err == nil && done.Accepted
		keep(h)
		if err != nil {
			return
		}
		if !done.Accepted {
			t.Errorf("%s was not accepted: %+v", h.task, done)
			return
		}
	}
}

func TestAcknowledgedSubmitsOutliveAKill(t *testing.T) {
	p := servertest.Build(t)
	t.Run("SQLite", func(t *testing.T) { killWhileLabeling(t, p, "--data", filepath.Join(t.TempDir(), "data")) })
	t.Run("PostgreSQL", func(t *testing.T) {
		killWhileLabeling(t, p, "--data", filepath.Join(t.TempDir(), "data"), "--database", postgrestest.New(t))
	})
}

func killWhileLabeling(t *testing.T, p servertest.Program, place ...string) {
	var people []api
	for n := range 4 {
		people = append(people, api{key: p.Key(t, place, fmt.Sprintf("person %d", n))})
	}
	total := 0
	for round := range killRounds(t) {
		s := p.Serve(t, place...)
		for i := range people {
			people[i].url = s.URL
		}
		boss := people[0]
		name := fmt.Sprintf("round %d", round)
		boss.must(t, http.MethodPost, "/v1/projects", map[string]any{"name": name, "type": "imageannotation", "params": map[string]any{
			"attachment": boss.upload(t), "geometries": map[string]any{"box": map[string]any{"objects_to_annotate": []string{"cow"}}},
		}}, nil)
		boss.must(t, http.MethodPost, "/v1/batches", map[string]any{"name": name, "project": name}, nil)
		for range 60 {
			boss.must(t, http.MethodPost, "/v1/task/imageannotation", map[string]any{"batch": name}, nil)
		}
		boss.must(t, http.MethodPost, "/v1/batches/"+strings.ReplaceAll(name, " ", "%20")+"/finalize", struct{}{}, nil)

		var mu sync.Mutex
		var sent []handedIn
		var wait sync.WaitGroup
		for _, a := range people {
			wait.Go(func() {
				a.workUntil(t, func(h handedIn) { mu.Lock(); sent = append(sent, h); mu.Unlock() })
			})
		}
		timer := time.AfterFunc(time.Duration(5+rand.IntN(120))*time.Millisecond, s.Kill)
		wait.Wait()
		timer.Stop()
		s.Kill()
		total += len(sent) // one round may end before anything is handed in
		checkHandedIn(t, p.Serve(t, place...), sent)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if total == 0 {
		t.Error("nothing was handed in")
	}
}

// checkHandedIn sends again what was not acknowledged, and looks whether
// everything is there once.
func checkHandedIn(t *testing.T, s *servertest.Server, sent []handedIn) {
	t.Helper()
	defer s.Stop(t)
	for _, h := range sent {
		a := api{s.URL, h.key}
		if !h.acknowledged {
			var done wire.Submitted
			if err := a.json(t, http.MethodPost, "/api/v1/work/"+h.task+"/submit", h.body, &done); err != nil || !done.Accepted {
				t.Errorf("%s, sent again: %+v %v", h.task, done, err)
			}
		}
		var task struct {
			Status   string `json:"status"`
			Response struct {
				Annotations []any `json:"annotations"`
			} `json:"response"`
		}
		a.must(t, http.MethodGet, "/v1/task/"+h.task, nil, &task)
		if task.Status != "completed" || len(task.Response.Annotations) != 1 {
			t.Errorf("%s (acknowledged: %v) is %s with %d boxes", h.task, h.acknowledged, task.Status, len(task.Response.Annotations))
		}
		var history wire.TaskHistory
		a.must(t, http.MethodGet, "/api/v1/tasks/"+h.task+"/history", nil, &history)
		attempts := 0
		for _, e := range history.Events {
			if e.Kind == "attempted" {
				attempts++
			}
		}
		if attempts != 1 {
			t.Errorf("%s was attempted %d times", h.task, attempts)
		}
	}
}
