package flow_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/store"
)

// stock makes a dataset with one item that has a file.
func stock(t *testing.T, f *flow.Flow, caller remuda.Caller) (dataset string, ref blob.Ref) {
	t.Helper()
	d, err := f.CreateDataset(t.Context(), caller, flow.NewDataset{Name: "horses"})
	if err != nil {
		t.Fatal(err)
	}
	ref, _, err = f.Blobs.Put(t.Context(), strings.NewReader("bytes of an image"), 0)
	if err != nil {
		t.Fatal(err)
	}
	err = f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
		_, err := tx.AddItems(d.ID, []store.Item{{ReferenceID: "a.jpg", Blob: ref.String(), Format: "jpeg", Bytes: 17}}, false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.ID, ref
}

func opened(data []byte) flow.OpenBackup {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func TestABackupIsRestoredOnEitherDatabase(t *testing.T) {
	f, manager := flowtest.New(t)
	dataset, ref := stock(t, f, manager)
	_, password := addUser(t, f, "ada", remuda.Admin)
	var file bytes.Buffer
	end, err := f.Backup(t.Context(), local, &file, "devel")
	if err != nil || end.Files != 1 || end.Bytes != 17 || len(end.Missing) != 0 {
		t.Fatalf("backup: %+v, %v", end, err)
	}
	for name, location := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "other.db"), "postgres": postgrestest.New(t)} {
		t.Run(name, func(t *testing.T) {
			g, _ := flowtest.Open(t, location)
			restored, err := g.Restore(t.Context(), local, opened(file.Bytes()))
			if err != nil || restored.Rows != end.Rows {
				t.Fatalf("restore: %+v, %v", restored, err)
			}
			found, err := g.Items(t.Context(), manager, dataset, -1, 10)
			if err != nil || len(found) != 1 || found[0].Blob != ref.String() {
				t.Errorf("items: %+v, %v", found, err)
			}
			r, err := g.Blobs.Open(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if data, err := io.ReadAll(r); string(data) != "bytes of an image" || err != nil {
				t.Errorf("the file: %q, %v", data, err)
			}
			if _, _, err := g.Login(t.Context(), "ada", password, "::1"); err != nil {
				t.Errorf("the user's password: %v", err)
			}
			if _, err := g.Restore(t.Context(), local, opened(file.Bytes())); remuda.CodeOf(err) != remuda.Conflict {
				t.Errorf("restored twice: %v", err)
			}
		})
	}
}

func TestABackupHoldsOneMomentOfABusyServer(t *testing.T) {
	for name, location := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "busy.db"), "postgres": postgrestest.New(t)} {
		t.Run(name, func(t *testing.T) {
			f, manager := flowtest.Open(t, location)
			stop, stopped := make(chan struct{}), make(chan error, 1)
			begun := make(chan struct{})
			go func() { // each transaction makes a dataset and its item
				for n := 0; ; n++ {
					err := f.DB.Write(context.Background(), manager, func(tx *store.Tx) error {
						d, err := tx.CreateDataset(store.Dataset{Name: "pair"})
						if err != nil {
							return err
						}
						_, err = tx.AddItems(d.ID, []store.Item{{ReferenceID: "a"}}, false)
						return err
					})
					if n == 20 {
						close(begun)
					}
					select {
					case <-stop:
						stopped <- err
						return
					default:
					}
					if err != nil {
						stopped <- err
						return
					}
				}
			}()
			<-begun
			for range 5 {
				var file bytes.Buffer
				if _, err := f.Backup(t.Context(), local, &file, "devel"); err != nil {
					t.Fatal(err)
				}
				g, _ := flowtest.New(t)
				if _, err := g.Restore(t.Context(), local, opened(file.Bytes())); err != nil {
					t.Fatal(err)
				}
				c, err := g.Contents(t.Context())
				if err != nil || c.Rows["datasets"] < 20 || c.Rows["datasets"] != c.Rows["items"] {
					t.Errorf("restored %v, %v", c.Rows, err)
				}
			}
			close(stop)
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABackupSaysWhichFilesAreMissing(t *testing.T) {
	f, manager := flowtest.New(t)
	_, ref := stock(t, f, manager)
	if err := f.Blobs.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	end, err := f.Backup(t.Context(), local, &file, "devel")
	if err != nil || end.Files != 0 || len(end.Missing) != 1 || end.Missing[0] != ref.String() {
		t.Fatalf("backup: %+v, %v", end, err)
	}
	if _, _, err := flow.VerifyBackup(opened(file.Bytes())); err != nil {
		t.Errorf("what is there is no backup: %v", err)
	}
}

func TestADamagedBackupIsRefusedAndChangesNothing(t *testing.T) {
	f, manager := flowtest.New(t)
	dataset, ref := stock(t, f, manager)
	var file bytes.Buffer
	if _, err := f.Backup(t.Context(), local, &file, "devel"); err != nil {
		t.Fatal(err)
	}
	good := file.Bytes()
	changed := bytes.Replace(good, []byte("horses"), []byte("donkey"), 1)
	if bytes.Equal(changed, good) {
		t.Fatal("the backup doesn't have the dataset's name")
	}
	g, _ := flowtest.New(t)
	for name, data := range map[string][]byte{
		"empty":           nil,
		"no tar":          []byte("PK not a tar file, whatever its name says"),
		"another tar":     tarOf(t, "hello.txt", "hello"),
		"a changed row":   changed,
		"a changed file":  bytes.Replace(good, []byte("bytes of an"), []byte("bytes of no"), 1),
		"half":            good[:len(good)/2],
		"without its end": good[:bytes.Index(good, []byte("end.json"))&^511],
		"only an end":     tarOf(t, "end.json", "{}"),
		"a later format":  tarOf(t, "backup.json", `{"format": 2}`),
	} {
		_, err := g.Restore(t.Context(), local, opened(data))
		if remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Dataset(t.Context(), manager, dataset); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("a row came in: %v", err)
	}
	if _, err := g.Blobs.Stat(t.Context(), ref); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("a file came in: %v", err)
	}
	missing := func() (io.ReadCloser, error) { return nil, remuda.Errorf(remuda.NotFound, "%w", os.ErrNotExist) }
	if _, err := g.Restore(t.Context(), local, missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func tarOf(t *testing.T, name, content string) []byte {
	t.Helper()
	var file bytes.Buffer
	w := tar.NewWriter(&file)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600}), func() error {
		_, err := io.WriteString(w, content)
		return err
	}(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
