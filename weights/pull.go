package weights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"remuda"
	"remuda/internal/disk"
)

const (
	maxTries     = 5                // in a row without a byte
	firstPause   = time.Second      // before the second try; doubles with each
	quietLine    = time.Minute      // without a byte, after which the line is dropped
	answerWithin = 30 * time.Second // until the response's header
)

// partFile is an unfinished download on disk.
type partFile interface {
	io.Writer
	Sync() error
	Close() error
}

// Progress is told how much of a download is there; total is 0 while unknown.
type Progress func(done, total int64)

// Pull returns the cached file of a source, downloading it first where it is
// missing. An interrupted download goes on where it stopped, at once and in a
// later call; a line that drops is taken up again a few times, with growing
// pauses. The file gets its name once its SHA-256 has been checked. Two pulls of
// one file, in one process or several, wait for each other.
//
// Codes: unavailable where the network or the disk fails, not_found where the
// server has no such file, invalid where it serves another one.
func (c Cache) Pull(ctx context.Context, s Source, progress Progress) (string, error) {
	unlock, err := c.lock(ctx, s)
	if err != nil {
		return "", err
	}
	defer unlock()
	path, cached, err := c.Path(s)
	if err != nil || cached {
		return path, err
	}
	d := &download{cache: c, source: s, url: c.url(s), part: path + ".part", progress: progress}
	if err := d.fetch(ctx); err != nil {
		return "", err
	}
	if err := os.Rename(d.part, path); err != nil {
		return "", fmt.Errorf("keep downloaded weights: %w", err)
	}
	os.Remove(d.tagFile())
	if err := disk.SyncDir(c.Dir); err != nil {
		return "", fmt.Errorf("keep downloaded weights: %w", err)
	}
	return path, c.record(s, d.sum)
}

func (c Cache) url(s Source) string {
	base := c.URL
	if base == "" {
		base = DefaultURL
	}
	return strings.TrimSuffix(base, "/") + "/" + s.File
}

// download is one file on its way into the cache.
type download struct {
	cache    Cache
	source   Source
	url      string
	part     string // path of the unfinished file
	progress Progress
	sum      string // SHA-256 of the whole file, once it has been checked
}

func (d *download) tagFile() string { return d.part + ".tag" }

// fetch fills the part file and checks it. When a download that went on after
// an interruption does not match, the pieces may be of two versions, so it is
// made once more from the beginning.
func (d *download) fetch(ctx context.Context) error {
	for {
		resumed := sizeOf(d.part) > 0
		if err := d.retry(ctx); err != nil {
			return err
		}
		sum, err := disk.Sum(d.part)
		if err != nil {
			return fmt.Errorf("check downloaded weights: %w", err)
		}
		if strings.HasPrefix(sum, d.source.Prefix()) {
			d.sum = sum
			return nil
		}
		if err := d.discard(); err != nil {
			return err
		}
		if !resumed {
			return remuda.Errorf(remuda.Invalid, "%s is not torchvision's file: its SHA-256 begins with %.8s", d.url, sum).
				WithHint("something between here and the server changes files; get the file elsewhere and run `remuda weights pull %s --from FILE`", d.source.File)
		}
	}
}

func (d *download) discard() error {
	for _, path := range []string{d.part, d.tagFile()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an unfinished download: %w", err)
		}
	}
	return nil
}

// retry tries until the file is complete, as long as bytes keep coming.
func (d *download) retry(ctx context.Context) error {
	pause := firstPause
	for try := 1; ; try++ {
		before := sizeOf(d.part)
		err := d.try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("download %s: %w", d.url, context.Cause(ctx))
		}
		if final, ok := errors.AsType[*remuda.Error](err); ok {
			return final
		}
		if sizeOf(d.part) > before {
			try, pause = 0, firstPause
		}
		if try >= maxTries {
			return d.unavailable(err)
		}
		if err := d.cache.pause(ctx, pause); err != nil {
			return fmt.Errorf("download %s: %w", d.url, err)
		}
		pause *= 2
	}
}

// try makes one request and appends what comes. Errors with a code are final.
func (d *download) try(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	have := sizeOf(d.part)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "download weights: %w", err).WithHint("check REMUDA_WEIGHTS_URL")
	}
	request.Header.Set("Accept-Encoding", "identity") // its length and its ranges are those of the file
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if tag, err := os.ReadFile(d.tagFile()); err == nil && len(tag) > 0 {
			request.Header.Set("If-Range", string(tag))
		}
	}
	response, err := d.cache.client().Do(request)
	if err != nil {
		return d.unreached(err)
	}
	defer response.Body.Close()
	if _, size := contentRange(response.Header.Get("Content-Range")); response.StatusCode == http.StatusRequestedRangeNotSatisfiable && size == have {
		return nil // nothing is missing
	}
	total, err := d.judge(response, &have)
	if err != nil {
		return err
	}
	err = d.save(response, have, total, cancel)
	if cause := context.Cause(ctx); err != nil && cause != nil && remuda.CodeOf(err) == remuda.Internal {
		return cause
	}
	return err
}

// unreached says why there was no response. A name that does not exist, as on
// a machine without a network, will not exist a moment later.
func (d *download) unreached(err error) error {
	if around, ok := errors.AsType[*url.Error](err); ok {
		err = around.Err // the address is named already
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && name.IsNotFound {
		return d.unavailable(err)
	}
	return err
}

func (d *download) unavailable(err error) error {
	return remuda.Errorf(remuda.Unavailable, "download %s: %w", d.url, err).
		WithHint("check the network and try again, which goes on where this stopped; or get the file elsewhere and run `remuda weights pull %s --from FILE`", d.source.File)
}

// judge reads the response's header: how many bytes the whole file has (0 where
// the server does not say) and, in have, how many of them are kept.
func (d *download) judge(response *http.Response, have *int64) (total int64, err error) {
	start, size := contentRange(response.Header.Get("Content-Range"))
	switch {
	case response.StatusCode == http.StatusPartialContent && start == *have:
		return size, nil
	case response.StatusCode == http.StatusOK, response.StatusCode == http.StatusPartialContent && start == 0:
		*have = 0 // the server does not go on, or has another file than before
		return max(response.ContentLength, 0), nil
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable, response.StatusCode == http.StatusPartialContent:
		if err := d.discard(); err != nil {
			return 0, err
		}
		return 0, errors.New("the unfinished download does not fit the server's file; it begins anew")
	case response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusGone:
		return 0, remuda.Errorf(remuda.NotFound, "download %s: the server has no such file", d.url).
			WithHint("get it elsewhere and run `remuda weights pull %s --from FILE`", d.source.File)
	case response.StatusCode >= 400 && response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusRequestTimeout:
		return 0, remuda.Errorf(remuda.Unavailable, "download %s: the server says %s", d.url, response.Status).
			WithHint("get the file elsewhere and run `remuda weights pull %s --from FILE`", d.source.File)
	}
	return 0, fmt.Errorf("the server says %s", response.Status)
}

// save appends the response's body to the part file, which keeps have bytes.
func (d *download) save(response *http.Response, have, total int64, cancel context.CancelCauseFunc) error {
	if have == 0 {
		if err := d.discard(); err != nil {
			return err
		}
	}
	// What the rest must fit to; a weak tag does not promise equal bytes.
	tag := response.Header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		tag = response.Header.Get("Last-Modified")
	}
	if err := os.WriteFile(d.tagFile(), []byte(tag), 0o644); err != nil {
		return d.diskError(err)
	}
	part, err := d.cache.openPart(d.part)
	if err != nil {
		return d.diskError(err)
	}
	watchdog := time.AfterFunc(d.cache.patience(), func() { cancel(errors.New("the server has gone silent")) })
	defer watchdog.Stop()
	body := &meter{from: response.Body, done: have, moved: func(done int64) {
		watchdog.Reset(d.cache.patience())
		if d.progress != nil {
			d.progress(done, total)
		}
	}}
	_, err = io.Copy(part, body)
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return d.diskError(err)
	}
	switch {
	case err != nil && body.err == nil: // it was the writing that failed
		return d.diskError(err)
	case err != nil:
		return err
	case total > 0 && body.done < total:
		return fmt.Errorf("the line broke after %d of %d bytes", body.done, total)
	}
	return nil
}

// diskError is final: trying again would fail again.
func (d *download) diskError(err error) error {
	if wrapped := diskError(err, "download %s", d.source.File); remuda.CodeOf(wrapped) != remuda.Internal {
		return wrapped
	}
	return remuda.Errorf(remuda.Unavailable, "download %s: write to the cache: %w", d.source.File, err).
		WithHint("check the folder %s", d.cache.Dir)
}

// meter counts the bytes of a body and remembers whether reading it failed.
type meter struct {
	from  io.Reader
	done  int64
	err   error
	moved func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if n > 0 {
		m.done += int64(n)
		m.moved(m.done)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// contentRange reads "bytes 5-9/10" and "bytes */10"; start is −1 and size 0
// where they are not said.
func contentRange(header string) (start, size int64) {
	span, whole, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	if !ok {
		return -1, 0
	}
	size, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || size < 0 {
		size = 0
	}
	first, _, _ := strings.Cut(span, "-")
	if start, err = strconv.ParseInt(first, 10, 64); err != nil {
		start = -1
	}
	return start, size
}

func (c Cache) client() *http.Client {
	if c.Client != nil {
		return c.Client
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: answerWithin}).DialContext,
		TLSHandshakeTimeout:   answerWithin,
		ResponseHeaderTimeout: answerWithin,
	}}
}

func (c Cache) openPart(path string) (partFile, error) {
	if c.part != nil {
		return c.part(path)
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

func (c Cache) patience() time.Duration {
	if c.quiet > 0 {
		return c.quiet
	}
	return quietLine
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
