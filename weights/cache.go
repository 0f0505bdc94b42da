package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"remuda"
	"remuda/internal/disk"
)

// Cache is a folder of downloaded weights. A file FILE in it is whole and has
// been checked; FILE.sha256 is its sum; FILE.part and FILE.part.tag belong to an
// unfinished download and FILE.lock keeps two of them apart.
type Cache struct {
	Dir    string
	URL    string       // folder that files are downloaded from; default DefaultURL
	Client *http.Client // default one that gives up when a server does not answer

	// Seams for tests: waiting, opening the unfinished file, and how long a
	// silent line is borne with.
	wait  func(ctx context.Context, d time.Duration) error
	part  func(path string) (partFile, error)
	quiet time.Duration
}

// Entry is what the cache knows of a source.
type Entry struct {
	Source
	Path   string `json:"path,omitempty"` // where it is or would be; "" inside this program
	Size   int64  `json:"size"`           // in bytes; of the unfinished download where it is not cached
	Cached bool   `json:"cached"`
}

// List returns the catalogue with what is cached of it, judged by presence
// alone.
func (c Cache) List() []Entry {
	var entries []Entry
	for _, s := range Catalogue() {
		e := Entry{Source: s, Path: c.path(s)}
		if info, err := os.Stat(e.Path); err == nil {
			e.Cached, e.Size = true, info.Size()
		} else if info, err := os.Stat(e.Path + ".part"); err == nil {
			e.Size = info.Size()
		}
		entries = append(entries, e)
	}
	return entries
}

// Path returns the cached file of a source after checking its SHA-256, and
// whether there is one. A file that does not match is an error: it is never
// used, and never removed without being asked.
func (c Cache) Path(s Source) (path string, cached bool, err error) {
	path = c.path(s)
	sum, err := disk.Sum(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, false, nil
	} else if err != nil {
		return path, false, fmt.Errorf("check cached weights: %w", err)
	}
	if err := c.check(s, path, sum); err != nil {
		return path, false, remuda.Errorf(remuda.Invalid, "%w", err).WithHint("remove that file and run `remuda weights pull %s`", s.File)
	}
	return path, true, nil
}

// Import copies a local file into the cache after the same check that a
// download has to pass, and returns its path there.
func (c Cache) Import(ctx context.Context, s Source, from string) (string, error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return "", remuda.Errorf(remuda.NotFound, "import weights: %w", err).WithHint("check the path after --from")
	} else if err != nil {
		return "", remuda.Errorf(remuda.Invalid, "import weights: %w", err).WithHint("give a file that can be read")
	}
	defer in.Close()
	if info, err := in.Stat(); err == nil && info.IsDir() {
		return "", remuda.Errorf(remuda.Invalid, "import weights: %s is a folder", from).WithHint("give the file after --from")
	}
	unlock, err := c.lock(ctx, s)
	if err != nil {
		return "", err
	}
	defer unlock()
	sum := sha256.New()
	path := c.path(s)
	err = disk.Replace(path, func(w io.Writer) error {
		if _, err := io.Copy(io.MultiWriter(w, sum), in); err != nil {
			return err
		}
		return c.checkPrefix(s, from, hex.EncodeToString(sum.Sum(nil)))
	})
	if err != nil {
		return "", diskError(err, "import weights")
	}
	return path, c.record(s, hex.EncodeToString(sum.Sum(nil)))
}

func (c Cache) path(s Source) string { return filepath.Join(c.Dir, s.File) }

func (c Cache) makeDir() error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return remuda.Errorf(remuda.Invalid, "make the folder for weights: %w", err).WithHint("name another with --cache or REMUDA_CACHE")
	}
	return nil
}

// checkPrefix compares a sum with what the publisher says, and names the file
// that it is instead where that is known.
func (c Cache) checkPrefix(s Source, path, sum string) error {
	if strings.HasPrefix(sum, s.Prefix()) {
		return nil
	}
	for _, other := range Catalogue() {
		if strings.HasPrefix(sum, other.Prefix()) {
			return remuda.Errorf(remuda.Invalid, "%s is torchvision's %s, not %s", path, other.File, s.File).
				WithHint("import it with `remuda weights pull %s --from FILE`", other.File)
		}
	}
	return remuda.Errorf(remuda.Invalid, "%s is not torchvision's %s: its SHA-256 begins with %.8s", path, s.File, sum).
		WithHint("get the file from %s/%s again", DefaultURL, s.File)
}

// check compares a sum with the publisher's digits and with the whole sum that
// was kept at the first download; where none was, it is kept now.
func (c Cache) check(s Source, path, sum string) error {
	if err := c.checkPrefix(s, path, sum); err != nil {
		return err
	}
	kept, err := os.ReadFile(path + ".sha256")
	if errors.Is(err, fs.ErrNotExist) {
		return c.record(s, sum)
	} else if err != nil {
		return fmt.Errorf("check cached weights: %w", err)
	}
	if first, _, _ := strings.Cut(string(kept), " "); first != sum {
		return fmt.Errorf("%s has changed since it was downloaded: its SHA-256 is %.16s…, it was %.16s…", path, sum, first)
	}
	return nil
}

// record keeps the whole sum, in the form that sha256sum reads.
func (c Cache) record(s Source, sum string) error {
	err := disk.Replace(c.path(s)+".sha256", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s  %s\n", sum, s.File)
		return err
	})
	if err != nil {
		return diskError(err, "keep the sum of weights")
	}
	return nil
}

// lock waits until no other process downloads or imports the source.
func (c Cache) lock(ctx context.Context, s Source) (unlock func(), err error) {
	if err := c.makeDir(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(c.path(s)+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "lock the cache of weights: %w", err).WithHint("name another folder with --cache or REMUDA_CACHE")
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock the cache of weights: %w", err)
		}
		if err := c.pause(ctx, 200*time.Millisecond); err != nil {
			f.Close()
			return nil, err
		}
	}
}

// pause waits for d, or less when ctx is done.
func (c Cache) pause(ctx context.Context, d time.Duration) error {
	if c.wait != nil {
		return c.wait(ctx, d)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// SHA256 returns the SHA-256 of a file of weights in hex, by which a recipe
// names it. It fails with code not_found where there is no such file.
func SHA256(path string) (string, error) {
	sum, err := disk.Sum(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", remuda.Errorf(remuda.NotFound, "read weights: %w", err).WithHint("check the path")
	} else if err != nil {
		return "", remuda.Errorf(remuda.Invalid, "read weights: %w", err).WithHint("give a file that can be read")
	}
	return sum, nil
}
