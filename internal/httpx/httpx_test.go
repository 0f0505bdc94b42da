package httpx

import (
	"bufio"
	"io"
	"net/http/httptest"
	"testing"

	"remuda"
)

func TestALongAnswerIsSentWholeOrNotAtAll(t *testing.T) {
	w := httptest.NewRecorder()
	err := Spool(w, func(out *bufio.Writer) error {
		_, err := io.WriteString(out, `{"rows":[`)
		if err == nil {
			err = remuda.Errorf(remuda.NotFound, "the dataset was deleted meanwhile")
		}
		return err
	})
	if remuda.CodeOf(err) != remuda.NotFound || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("got %v, sent %q with %v", err, w.Body, w.Header())
	}
	if err := Spool(w, func(out *bufio.Writer) error { _, err := io.WriteString(out, "[]"); return err }); err != nil {
		t.Fatal(err)
	}
	if w.Body.String() != "[]" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("sent %q with %v", w.Body, w.Header())
	}
}
