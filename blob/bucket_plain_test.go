//go:build !gcs && !azure

package blob_test

import (
	"strings"
	"testing"

	"remuda"
	"remuda/blob"
)

func TestOtherBucketsNeedAnotherBuild(t *testing.T) {
	for location, tag := range map[string]string{"gs://herd": "gcs", "azblob://herd": "azure"} {
		if _, err := blob.OpenURL(t.Context(), location); remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(remuda.HintOf(err), "-tags "+tag) {
			t.Errorf("%s: got %v, hint %q", location, err, remuda.HintOf(err))
		}
	}
}
