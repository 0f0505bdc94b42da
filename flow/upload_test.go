package flow_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
)

func FuzzUploadedItems(f *testing.F) {
	for _, lines := range []string{
		"", "\n\n", `{"reference_id":"a","image_url":"http://images.test/a.jpg","metadata":{"x":[1]}}` + "\n",
		`{"reference_id":"a","image_url":"http://images.test/a.jpg"}` + "\r\n" + `{"reference_id":"a"}`, `[]`, `{"reference_id":"\u0000"}`, "\xff\xfe", `{"width":1e99}`,
	} {
		f.Add(lines, true)
	}
	under, caller := flowtest.New(f)
	dataset := newDataset(f, under, caller)
	under.Fetcher = &web{}
	f.Fuzz(func(t *testing.T, lines string, update bool) {
		request := remuda.NewIDs(under.Now).New("r")
		if err := under.StageUpload(t.Context(), remuda.Live, dataset, request, strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		job, err := under.AppendUpload(t.Context(), caller, dataset, request, update)
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, under)
		if job, _ := jobOf(t, under, caller, job.ID); job.Status != store.JobCompleted {
			t.Errorf("the job is %s: %s", job.Status, job.Problem)
		}
	})
}

func TestRequestIDsAreKeptApart(t *testing.T) {
	f, caller := flowtest.New(t)
	one, two := newDataset(t, f, caller), newDataset(t, f, caller)
	stage(t, f, one, "r", `{"reference_id":"a","image_url":"http://images.test/a.jpg"}`)
	if _, err := f.AppendUpload(t.Context(), caller, two, "r", false); remuda.CodeOf(err) != remuda.NotFound || remuda.HintOf(err) == "" {
		t.Errorf("another dataset's upload: %v", err)
	}
	if err := f.StageUpload(t.Context(), remuda.Test, one, "r", strings.NewReader("{}")); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("an upload into the other world: %v", err)
	}
	for _, request := range []string{"", strings.Repeat("x", 129), "a\x00"} {
		if _, err := f.UploadURL(t.Context(), caller, one, request); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("request id %.20q: %v", request, err)
		}
	}
}

// calling calls do at every fetch.
type calling struct {
	web
	do func()
}

func (c *calling) Fetch(ctx context.Context, url string, to io.Writer, maxBytes int64) (flow.Fetched, error) {
	c.do()
	return c.web.Fetch(ctx, url, to, maxBytes)
}

func TestAJobThatIsCancelledWhileItRunsStaysCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		dataset := newDataset(t, f, caller)
		stage(t, f, dataset, "r", `{"reference_id":"a","image_url":"http://images.test/a.jpg"}`)
		job, err := f.AppendUpload(t.Context(), caller, dataset, "r", false)
		if err != nil {
			t.Fatal(err)
		}
		f.Fetcher = &calling{do: func() {
			if _, err := f.CancelJob(t.Context(), caller, job.ID); err != nil {
				t.Error(err)
			}
		}}
		flowtest.Drain(t, f)
		if job, _ := jobOf(t, f, caller, job.ID); job.Status != store.JobCancelled {
			t.Errorf("the job is %s", job.Status)
		}
	})
}

func TestJobsAreCancelledAndGivenUp(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset := newDataset(t, f, caller)
	job, err := f.MergeMetadataLater(t.Context(), caller, dataset, []flow.MetadataChange{{ReferenceID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	reviewer := caller
	reviewer.Role = remuda.Reviewer
	if _, err := f.CancelJob(t.Context(), reviewer, job.ID); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a reviewer cancels a job: %v", err)
	}
	for range 2 {
		if job, err = f.CancelJob(t.Context(), caller, job.ID); err != nil || job.Status != store.JobCancelled {
			t.Errorf("cancelled: %s (%v)", job.Status, err)
		}
	}
	flowtest.Drain(t, f)
	if job, messages := jobOf(t, f, caller, job.ID); job.Status != store.JobCancelled || len(messages) != 0 {
		t.Errorf("a cancelled job is %s with %q", job.Status, messages)
	}
	// Without its dataset a job can't go on, and says so.
	job, err = f.MergeMetadataLater(t.Context(), caller, dataset, []flow.MetadataChange{{ReferenceID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.DeleteDataset(t.Context(), caller, dataset); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	if job, _ := jobOf(t, f, caller, job.ID); job.Status != store.JobFailed || !strings.Contains(job.Problem, dataset) {
		t.Errorf("the job is %s: %q", job.Status, job.Problem)
	}
}
