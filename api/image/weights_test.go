package image_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"remuda/flow"
)

func (s *served) do(method, path, body string) (*http.Response, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(text)
}

func TestWeightsComeAndGoByTheirURLs(t *testing.T) {
	s := newServed(t)
	model, err := s.flow.CreateModel(t.Context(), s.caller, flow.NewModel{Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	const file = "the weights"
	up, err := s.flow.PresignWeights(t.Context(), s.caller, model.ID, flow.NewWeights{Bytes: int64(len(file)), Filename: "größe 1.pth"})
	if err != nil {
		t.Fatal(err)
	}
	put := up.Parts[0]
	if answer, text := s.do(http.MethodPut, strings.Replace(put, "/1?", "/2?", 1), file); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a path that was not signed: %d %s", answer.StatusCode, text)
	}
	if answer, text := s.do(http.MethodGet, put, ""); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("GET of what is to be put: %d %s", answer.StatusCode, text)
	}
	if answer, text := s.do(http.MethodPut, put, "short"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("fewer bytes than announced: %d %s", answer.StatusCode, text)
	}
	answer, text := s.do(http.MethodPut, put, file)
	tag := answer.Header.Get("Etag")
	if answer.StatusCode != http.StatusOK || len(tag) != 66 {
		t.Fatalf("%d %q %s", answer.StatusCode, tag, text)
	}
	w, err := s.flow.FinalizeWeights(t.Context(), s.caller, model.ID, up.ID, []flow.SentPart{{Number: 1, Tag: tag}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, text := s.do(http.MethodPut, put, file); answer.StatusCode != http.StatusNotFound {
		t.Errorf("an upload that has ended: %d %s", answer.StatusCode, text)
	}
	path, err := s.flow.WeightsURL(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	answer, text = s.do(http.MethodGet, path, "")
	if answer.StatusCode != http.StatusOK || text != file || answer.ContentLength != int64(len(file)) || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d %q %v", answer.StatusCode, text, answer.Header)
	}
	if _, err := s.flow.DeleteWeights(t.Context(), s.caller, model.ID); err != nil {
		t.Fatal(err)
	}
	if answer, _ := s.do(http.MethodGet, path, ""); answer.StatusCode != http.StatusNotFound {
		t.Errorf("deleted weights: %d", answer.StatusCode)
	}
	s.later.Store(int64(30 * 24 * time.Hour))
	if answer, _ := s.do(http.MethodGet, path, ""); answer.StatusCode != http.StatusForbidden {
		t.Errorf("an old URL: %d", answer.StatusCode)
	}
}
