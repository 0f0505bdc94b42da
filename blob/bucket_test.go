package blob_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/blob"
)

// answer makes a server say the same to every request that which picks.
func answer(status int, code string, which func(*http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !which(r) {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>told to</Message></Error>", code)
		}
		return true
	}
}

func always(*http.Request) bool { return true }

func writes(r *http.Request) bool { return r.Method == http.MethodPut }

// Ensure trouble with a bucket is said as such and never as a missing image.
func TestTroubledBucketIsUnavailable(t *testing.T) {
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		hint   string
	}{
		"gone":      {answer(404, "NoSuchBucket", always), "create it"},
		"forbidden": {answer(403, "AccessDenied", always), "access key"},
		"failing":   {answer(501, "NotImplemented", always), "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			server := startS3(t)
			store := mustOpen(t, server.url)
			ref := mustPut(t, store, []byte("x"))
			server.before = c.before
			ctx := t.Context()
			_, openErr := store.Open(ctx, ref)
			_, statErr := store.Stat(ctx, ref)
			_, sweepErr := store.Sweep(ctx, keepNone, soon())
			var listErr error
			for _, err := range store.List(ctx) {
				listErr = err
			}
			_, reopenErr := blob.OpenURL(ctx, server.url)
			for what, err := range map[string]error{
				"open": openErr, "stat": statErr, "sweep": sweepErr, "list": listErr, "open anew": reopenErr,
				"touch": store.Touch(ctx, ref), "delete": store.Delete(ctx, ref),
			} {
				if remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(remuda.HintOf(err), c.hint) || !strings.Contains(err.Error(), "s3://"+s3Bucket) {
					t.Errorf("%s: got %v, hint %q", what, err, remuda.HintOf(err))
				}
			}
			if _, _, err := store.Put(ctx, strings.NewReader("y"), 0); remuda.CodeOf(err) != remuda.Unavailable || remuda.HintOf(err) == "" {
				t.Errorf("put: got %v, hint %q", err, remuda.HintOf(err))
			}
			server.before = nil
			mustHave(t, store, []byte("x"))
		})
	}
}

// Ensure an upload that fails in one of its parts is as if it had not begun.
func TestUploadCutShortLeavesNothing(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	server.before = answer(400, "BadDigest", func(r *http.Request) bool { return writes(r) && r.URL.Query().Get("partNumber") == "2" })
	big := noise(1, 20<<20) // above 16 MiB uploads go in parts
	if _, _, err := store.Put(t.Context(), strings.NewReader(string(big)), 0); remuda.CodeOf(err) != remuda.Unavailable {
		t.Errorf("got %v", err)
	}
	mustLack(t, store, blob.RefOf(big))
	server.before = nil
	mustPut(t, store, big)
	mustHave(t, store, big)
}

// Ensure services that know no checksums in trailers, as most besides
// Amazon's, can be used without further settings.
func TestOtherServicesGetNoChecksumTrailers(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	uploads := 0
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if writes(r) {
			uploads++
			for name := range r.Header {
				if strings.HasPrefix(name, "X-Amz-Checksum") || name == "X-Amz-Trailer" {
					t.Errorf("%s: %s", name, r.Header.Get(name))
				}
			}
		}
		return false
	}
	mustPut(t, store, []byte("x"))
	if uploads == 0 {
		t.Error("nothing was sent")
	}
}

func TestNoRoomForUploadsOnTheirWayToABucket(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, _, err := store.Put(t.Context(), strings.NewReader("x"), 0); remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(remuda.HintOf(err), "TMPDIR") {
		t.Errorf("got %v, hint %q", err, remuda.HintOf(err))
	}
}

func TestOpenURLSaysWhatIsWrong(t *testing.T) {
	server := startS3(t)
	file := filepath.Join(t.TempDir(), "file")
	mustPut(t, mustOpen(t, file+"-folder"), []byte("x"))
	for location, c := range map[string]struct {
		code remuda.Code
		hint string
	}{
		"":                    {remuda.Invalid, "folder's path"},
		"ftp://host/dir":      {remuda.Invalid, "s3://"},
		"s3://%zz":            {remuda.Invalid, "s3://"},
		"s3://herd?unknown=1": {remuda.Invalid, "s3://"},
		"file://host/dir":     {remuda.Invalid, "file:///"},
		file + "-folder/lock": {remuda.Unavailable, ""}, // a file is in the way
		strings.Replace(server.url, "herd", "other", 1): {remuda.Unavailable, "create it"},
	} {
		if _, err := blob.OpenURL(t.Context(), location); remuda.CodeOf(err) != c.code || !strings.Contains(remuda.HintOf(err), c.hint) {
			t.Errorf("%q: got %v, code %q, hint %q", location, err, remuda.CodeOf(err), remuda.HintOf(err))
		}
	}
}

func TestFolderByURLAndBucketByPrefix(t *testing.T) {
	folder := t.TempDir()
	mustPut(t, mustOpen(t, "file://"+folder), []byte("x"))
	mustHave(t, mustOpen(t, folder), []byte("x"))

	server := startS3(t)
	mustPut(t, mustOpen(t, server.url+"&prefix=remuda/"), []byte("x"))
	mustHave(t, mustOpen(t, server.url+"&prefix=remuda/"), []byte("x"))
	if got := listed(t, mustOpen(t, server.url)); len(got) > 0 {
		t.Errorf("beside the prefix lies %v", got)
	}
}

// Ensure a touch is a copy that Amazon's S3 takes: it refuses copies onto
// themselves that replace nothing.
func TestTouchReplacesMetadata(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	ref := mustPut(t, store, []byte("x"))
	var directives []string
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			directives = append(directives, r.Header.Get("X-Amz-Metadata-Directive"))
		}
		return false
	}
	if err := store.Touch(t.Context(), ref); err != nil || !slices.Equal(directives, []string{"REPLACE"}) {
		t.Errorf("got %v, %v", directives, err)
	}
}

func TestDeleteDoesNotWaitForUploads(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	ref := mustPut(t, store, []byte("x"))
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if writes(r) {
			if err := store.Delete(t.Context(), ref); err != nil {
				t.Errorf("delete: %v", err)
			}
			mustLack(t, store, ref)
		}
		return false
	}
	mustPut(t, store, []byte("x"))
	server.before = nil
	mustHave(t, store, []byte("x"))
}

// Ensure a sweep passes by what is being uploaded just now, however old the
// object is that lies there.
func TestSweepPassesUploadsBy(t *testing.T) {
	server := startS3(t)
	store := mustOpen(t, server.url)
	ref := mustPut(t, store, []byte("x"))
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if writes(r) {
			if swept, err := store.Sweep(t.Context(), keepNone, soon()); err != nil || swept != (blob.Swept{Kept: 1}) {
				t.Errorf("sweep: %+v, %v", swept, err)
			}
		}
		return false
	}
	mustPut(t, store, []byte("x"))
	if _, err := store.Stat(t.Context(), ref); err != nil {
		t.Error(err)
	}
	server.before = nil
}
