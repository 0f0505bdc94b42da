package own_test

import (
	"net/http"
	"net/url"
	"testing"
)

// Ensure that no cursor, whatever it says, is more than wrong.
func FuzzCursors(f *testing.F) {
	for _, seed := range []string{"", "cDA", "cDE", "YjAuYW5uX3g", "Yi4", "Yg", "cC0x", "??", "cHp6enp6enp6enp6eg", "YjEuAA"} {
		f.Add(seed)
	}
	s := newSite(f)
	d := s.dataset()
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range []string{"items", "boxes"} {
			w := s.call(http.MethodGet, "/datasets/"+d+"/"+list+"?cursor="+url.QueryEscape(cursor), "", "")
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("%s after %q: %d %s", list, cursor, w.Code, w.Body)
			}
		}
	})
}

// Ensure that whatever is sent as a form is taken or refused, and costs nobody
// else anything.
func FuzzForms(f *testing.F) {
	part := func(name, text string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + text + "\r\n"
	}
	for _, seed := range []string{
		"", "--x--", "--x--\r\n", part("item", `{"reference_id":"a"}`) + part("image", "GIF89a") + "--x--\r\n",
		part("item", `{"reference_id":"a"}`) + "--x--\r\n", part("image", "x"), part("item", `{"reference_id":7}`) + part("image", ""),
		part("item", `{"reference_id":"a","metadata":[1]}`) + part("image", "\xff\xd8\xff") + "--x--", "--x\r\n\r\n--x",
	} {
		f.Add(seed)
	}
	s := newSite(f)
	d := s.dataset()
	f.Fuzz(func(t *testing.T, body string) {
		w := s.call(http.MethodPost, "/datasets/"+d+"/items", "multipart/form-data; boundary=x", body)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || len(s.failed) > 0 {
			t.Errorf("%q: %d %s %v", body, w.Code, w.Body, s.failed)
		}
	})
}
