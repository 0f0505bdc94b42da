package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"remuda/client"
	"remuda/store"
)

// schemas has, for each schema that was released and for the one that will be,
// a backup of a small server and what must still be found in it. The test writes
// that of the newest schema anew when REMUDA_WRITE_SCHEMA=1 is set. Once released,
// one is never written again: migrations must take what users have.
const schemas = "testdata/schema"

// remembered is what must be found again.
type remembered struct {
	Key, Dataset, Slice, Frozen string
	Items, Revisions, Tasks     int
	Boxes                       map[string]int // by category
}

// remember looks at a server.
func (s *site) remember(dataset string) remembered {
	s.t.Helper()
	r := remembered{Key: s.key, Dataset: dataset, Boxes: make(map[string]int)}
	items, err := s.client().Items(s.t.Context(), dataset, client.Search{}, client.Page{Limit: 1000}, true)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Items = len(items.Items)
	for _, item := range items.Items {
		for _, a := range item.Annotations {
			r.Boxes[a.Category]++
		}
		history, err := s.client().History(s.t.Context(), item.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Revisions += len(history.Annotations)
	}
	slices, err := s.client().Slices(s.t.Context(), dataset, "ponies")
	if err != nil || len(slices.Slices) != 1 {
		s.t.Fatalf("slices: %v, %v", slices, err)
	}
	r.Slice, r.Frozen = slices.Slices[0].ID, slices.Slices[0].Frozen
	tasks, _ := s.json("GET", "/api/v1/tasks", "")["tasks"].([]any)
	r.Tasks = len(tasks)
	return r
}

func TestDatabasesOfEverySchemaAreTaken(t *testing.T) {
	newest, err := store.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("REMUDA_WRITE_SCHEMA") == "1" {
		writeSchema(t, newest)
	}
	backups, err := filepath.Glob(filepath.Join(schemas, "*.tar.gz"))
	if err != nil || len(backups) == 0 {
		t.Fatalf("no backups in %s: %v", schemas, err)
	}
	if last := schemaPath(newest) + ".tar.gz"; backups[len(backups)-1] != last {
		t.Errorf("there is no %s: write it with REMUDA_WRITE_SCHEMA=1", last)
	}
	for _, backup := range backups {
		for name, at := range map[string]func(*testing.T) *site{"embedded": small, "outgrown": grown} {
			t.Run(filepath.Base(backup)+" "+name, func(t *testing.T) {
				t.Parallel()
				takeSchema(t, strings.TrimSuffix(backup, ".tar.gz"), at(t))
			})
		}
	}
}

func schemaPath(schema int64) string { return filepath.Join(schemas, fmt.Sprintf("%04d", schema)) }

// takeSchema restores a backup, whose tables this program then brings up to date.
func takeSchema(t *testing.T, path string, s *site) {
	text, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var want remembered
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	s.restored(gunzip(t, path+".tar.gz"), &site{key: want.Key})
	if got := s.remember(want.Dataset); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds\n%+v, want\n%+v", path, got, want)
	}
	for _, status := range s.images(want.Dataset) {
		if !strings.HasPrefix(status, "200") {
			t.Errorf("an image: %s", status)
		}
	}
	s.again = "2"
	s.story(writeJPEGs(t, 9), 9) // and everything works on it
	s.server.end()
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	zipped, err := gzip.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	to, err := os.Create(filepath.Join(t.TempDir(), "backup.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, zipped); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

// writeSchema keeps a server of this program for later ones.
func writeSchema(t *testing.T, schema int64) {
	t.Helper()
	s := small(t).serve()
	text, err := json.MarshalIndent(s.remember(s.story(writeJPEGs(t, 9), 9)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.tar")
	must(t, append([]string{"backup", backup}, s.place()...)...)
	s.server.end()
	from, err := os.Open(backup)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(schemaPath(schema) + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzip.NewWriter(to)
	if _, err := io.Copy(zipped, from); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(schemaPath(schema)+".json", append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
