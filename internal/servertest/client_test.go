package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"testing"
	"time"
)

// caller makes requests of the dataset API.
type caller struct {
	base, key string
	http      *http.Client
}

func newCaller(server, key string) caller {
	return caller{server + "/v1/nucleus/", key, &http.Client{Timeout: time.Minute}}
}

// do sends a request and returns the status and the whole answer; an error means that none came.
func (c caller) do(ctx context.Context, method, route, kind string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+route, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", kind)
	r.SetBasicAuth(c.key, "")
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// json sends JSON and reads the answer of a call that must succeed.
func (c caller) json(t testing.TB, method, route string, body, into any) {
	t.Helper()
	status, text, err := c.try(t.Context(), method, route, body)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, route, status, text, err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, route, err, text)
		}
	}
}

func (c caller) try(ctx context.Context, method, route string, body any) (int, []byte, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	return c.do(ctx, method, route, "application/json", sent)
}

func (c caller) dataset(t testing.TB) string {
	t.Helper()
	var made struct {
		ID string `json:"dataset_id"`
	}
	c.json(t, "POST", "dataset/create", map[string]any{"name": "horses"}, &made)
	return made.ID
}

// upload sends one image, as a form.
func (c caller) upload(ctx context.Context, dataset, ref string, picture []byte, async bool) (int, []byte, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	parts := []struct {
		name, kind string
		content    []byte
	}{{"items", "application/json", fmt.Appendf(nil, `[{"reference_id":%q,"image_url":"a.jpg","metadata":{},"update":false}]`, ref)}, {"image", "image/jpg", picture}}
	for _, p := range parts {
		w, err := form.CreatePart(textproto.MIMEHeader{"Content-Type": {p.kind}, "Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, p.name)}})
		if err != nil {
			return 0, nil, err
		}
		if _, err := w.Write(p.content); err != nil {
			return 0, nil, err
		}
	}
	if err := form.Close(); err != nil {
		return 0, nil, err
	}
	route := "dataset/" + dataset + "/append"
	if async {
		route += "?async=1"
	}
	return c.do(ctx, "POST", route, form.FormDataContentType(), body.Bytes())
}

// annotate sends one box whose width tells its versions apart.
func (c caller) annotate(ctx context.Context, dataset, ref, id string, width int) (int, []byte, error) {
	return c.try(ctx, "POST", "dataset/"+dataset+"/annotate", map[string]any{"update": true, "annotations": []any{map[string]any{
		"type": "box", "label": "horse", "reference_id": ref, "annotation_id": id, "metadata": map[string]any{}, "geometry": map[string]any{"x": 0, "y": 0, "width": width, "height": 5},
	}}})
}

// found is an item as the API shows it, with its boxes.
type found struct {
	Item struct {
		Reference string `json:"reference_id"`
		URL       string `json:"image_url"`
		PHash     string `json:"phash"`
	} `json:"item"`
	Boxes []struct {
		ID       string `json:"annotation_id"`
		Geometry struct {
			Width int `json:"width"`
		} `json:"geometry"`
	} `json:"box"`
}

// export returns all items of a dataset.
func (c caller) export(t testing.TB, dataset string) map[string]found {
	t.Helper()
	var all struct {
		Rows []found `json:"exportedRows"`
	}
	c.json(t, "GET", "dataset/"+dataset+"/exportForTraining", nil, &all)
	items := make(map[string]found, len(all.Rows))
	for _, row := range all.Rows {
		if _, twice := items[row.Item.Reference]; twice {
			t.Errorf("item %s is there twice", row.Item.Reference)
		}
		items[row.Item.Reference] = row
	}
	return items
}

// bytes fetches an image by its signed URL, from wherever the server listens now.
func (c caller) bytes(ctx context.Context, signed string) (int, []byte, error) {
	u, err := url.Parse(signed)
	if err != nil {
		return 0, nil, err
	}
	here, err := url.Parse(c.base)
	if err != nil {
		return 0, nil, err
	}
	u.Host = here.Host
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// picture is a JPEG that no other seed gives; noise of size bytes behind its end makes it larger.
func picture(t testing.TB, seed uint64, size int) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 7))
	m := image.NewRGBA(image.Rect(0, 0, 24, 24))
	for i := range 24 * 24 {
		v := random.Uint32()
		m.Set(i%24, i/24, color.RGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), 255})
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	return append(out.Bytes(), noise...)
}
