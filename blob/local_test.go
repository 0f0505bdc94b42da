package blob_test

import (
	"bytes"
	"os"
	"testing"
)

func TestOnlyAFolderHasPlacesOnDisk(t *testing.T) {
	data := []byte("a horse")
	ref := mustPut(t, folderWorld(t).store, data)
	if path, ok := s3World(t).store.LocalPath(ref); ok {
		t.Errorf("a bucket has it at %s", path)
	}
	w := folderWorld(t)
	path, ok := w.store.LocalPath(mustPut(t, w.store, data))
	if got, err := os.ReadFile(path); !ok || err != nil || !bytes.Equal(got, data) {
		t.Errorf("%v, %q, %v", ok, got, err)
	}
}
