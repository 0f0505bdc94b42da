package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"remuda"
	"remuda/wire"
)

// Jobs lists background work, newest first: of a dataset unless that is "",
// and only what has not ended if unfinished is set.
func (c *Client) Jobs(ctx context.Context, dataset string, unfinished bool) (wire.Jobs, error) {
	q := set(url.Values{}, "dataset", dataset)
	if unfinished {
		q.Set("unfinished", "true")
	}
	return get[wire.Jobs](ctx, c, "/jobs", q)
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, job string) (wire.Job, error) {
	return get[wire.Job](ctx, c, "/jobs"+id(job), nil)
}

// JobErrors lists what was wrong with single rows of a job.
func (c *Client) JobErrors(ctx context.Context, job string) (wire.JobErrors, error) {
	return get[wire.JobErrors](ctx, c, "/jobs"+id(job)+"/errors", nil)
}

// CancelJob ends a job; what it has done stays.
func (c *Client) CancelJob(ctx context.Context, job string) (wire.Job, error) {
	return send[wire.Job](ctx, c, http.MethodPost, "/jobs"+id(job)+"/cancel", nil, true)
}

// WaitJob waits until a job has ended and tells see, unless that is nil, how
// far it is meanwhile. One that failed or was cancelled is an error.
func (c *Client) WaitJob(ctx context.Context, job string, see func(wire.Job)) (wire.Job, error) {
	const longest = 2 * time.Second
	for wait := 20 * time.Millisecond; ; wait = min(wait*3/2, longest) {
		j, err := c.Job(ctx, job)
		if err != nil {
			return j, err
		}
		if see != nil {
			see(j)
		}
		switch {
		case j.Status == "completed":
			return j, nil
		case j.Status == "cancelled":
			return j, remuda.Errorf(remuda.Conflict, "the job %s was cancelled", job)
		case j.Ended():
			return j, remuda.Errorf(remuda.Unavailable, "the job %s failed: %s", job, j.Problem)
		}
		if err := c.o.Pause(ctx, wait); err != nil {
			return j, err
		}
	}
}
