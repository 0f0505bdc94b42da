package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"remuda"
)

const diskRoot = "/srv/data/blobs"

var (
	errDead  = errors.New("the machine is off")
	farAhead = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// diary is what clients of a store remember of it.
type diary struct {
	mu    sync.Mutex
	tried map[string]bool // bytes that someone began to put
	acked map[string]bool // bytes whose Put was acknowledged and which nobody removed
}

func newDiary() *diary { return &diary{tried: make(map[string]bool), acked: make(map[string]bool)} }

func (d *diary) put(s *Store, data string) error {
	d.mu.Lock()
	d.tried[data] = true
	d.mu.Unlock()
	// In pieces, so that there are moments with a part of it on disk.
	_, _, err := s.Put(context.Background(), readerOnly{strings.NewReader(data)}, 0)
	if err == nil {
		d.mu.Lock()
		d.acked[data] = true
		d.mu.Unlock()
	}
	return err
}

type readerOnly struct{ r io.Reader }

func (r readerOnly) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), 5)]) }

// forget notes that somebody is about to remove bytes.
func (d *diary) forget(data string) { delete(d.acked, data) }

const small = "a thumbnail"

// check opens the disk as the next start does and compares it with the diary:
// all that was acknowledged is there, nothing is there in part, and a sweep and
// a second try set everything right. It returns the first fault.
func (d *diary) check(disk *powerFS) error {
	s, err := openStore(&process{disk: disk})
	if err != nil {
		return fmt.Errorf("open after it: %w", err)
	}
	if err := d.checkBlobs(s); err != nil {
		return err
	}
	for _, data := range sortedKeys(d.tried) {
		got, err := s.Derived(context.Background(), RefOf([]byte(data)), "thumb")
		if err == nil && string(got) != small || err != nil && remuda.CodeOf(err) != remuda.NotFound {
			return fmt.Errorf("what is derived of %q: got %q, error %v", data, got, err)
		}
	}
	wanted := make(map[Ref]bool)
	for data := range d.acked {
		wanted[RefOf([]byte(data))] = true
	}
	swept, err := s.Sweep(context.Background(), func(r Ref) (bool, error) { return wanted[r], nil }, farAhead)
	if err != nil || swept.Kept != len(d.acked) {
		return fmt.Errorf("sweep: %+v, error %v", swept, err)
	}
	if again, err := s.Sweep(context.Background(), func(Ref) (bool, error) { return true, nil }, farAhead); err != nil || again != (Swept{Kept: len(d.acked)}) {
		return fmt.Errorf("a sweep left something: %+v, error %v", again, err)
	}
	for _, data := range sortedKeys(d.tried) {
		if err := d.put(s, data); err != nil {
			return fmt.Errorf("put %q again: %w", data, err)
		}
	}
	return d.checkBlobs(s)
}

func (d *diary) checkBlobs(s *Store) error {
	for _, data := range sortedKeys(d.acked) {
		if got, err := readBlob(s, RefOf([]byte(data))); err != nil || got != data {
			return fmt.Errorf("acknowledged %q: got %q, error %v", data, got, err)
		}
	}
	for info, err := range s.List(context.Background()) {
		if err != nil {
			return err
		}
		if got, err := readBlob(s, info.Ref); err != nil || !d.tried[got] {
			return fmt.Errorf("listed %s: got %q, error %v", info.Ref, got, err)
		}
	}
	return nil
}

func readBlob(s *Store, ref Ref) (string, error) {
	r, err := s.Open(context.Background(), ref)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

func openStore(p *process) (*Store, error) {
	f, err := openFolder(p, diskRoot)
	if err != nil {
		return nil, err
	}
	return &Store{medium: f}, nil
}

// neighbours returns texts whose refs begin with the same byte, so that they
// lie in one folder.
func neighbours(n int) []string {
	var texts []string
	for i := 0; len(texts) < n; i++ {
		if text := fmt.Sprint("neighbour number ", i); RefOf([]byte(text))[0] == 0xab {
			texts = append(texts, text)
		}
	}
	return texts
}

// live does a bit of everything until something fails.
func live(p *process, d *diary, who string) error {
	s, err := openStore(p)
	if err != nil {
		return err
	}
	near := neighbours(3)
	ctx := context.Background()
	steps := []func() error{
		func() error { return d.put(s, near[0]) },
		func() error { return d.put(s, who+" has a picture of a horse") },
		func() error { return s.PutDerived(ctx, RefOf([]byte(near[0])), "thumb", []byte(small)) },
		func() error { return d.put(s, near[1]) },
		func() error { return d.put(s, near[0]) },
		func() error { return s.Touch(ctx, RefOf([]byte(near[0]))) },
		func() error { d.forget(near[1]); return s.Delete(ctx, RefOf([]byte(near[1]))) },
		func() error { return d.put(s, near[2]) },
		func() error {
			d.forget(near[2])
			_, err := s.Sweep(ctx, func(r Ref) (bool, error) { return r != RefOf([]byte(near[2])), nil }, farAhead)
			return err
		},
		func() error { return d.put(s, near[2]) },
		func() error { return d.put(s, "") },
		func() error { return s.PutDerived(ctx, RefOf([]byte(near[2])), "thumb", []byte(small)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// changesOf counts the changes of an undisturbed life.
func changesOf(t *testing.T) int {
	t.Helper()
	p := &process{disk: newPowerFS()}
	if err := live(p, newDiary(), "one"); err != nil {
		t.Fatal(err)
	}
	return p.changes
}

func dieAt(at int) func(int, string) error {
	return func(n int, _ string) error {
		if n >= at {
			return errDead
		}
		return nil
	}
}

func rng(seeds ...int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seeds[0]), uint64(seeds[len(seeds)-1])))
}

// Ensure that whenever the power goes, and again while the next start is
// busy, what was acknowledged is there whole.
func TestAcknowledgedSurvivesPowerLossAtEveryChange(t *testing.T) {
	const fates = 6
	for at := 1; at <= changesOf(t)+1; at++ {
		for fate := range fates {
			d, disk := newDiary(), newPowerFS()
			if err := live(&process{disk: disk, fault: dieAt(at)}, d, "one"); err != nil && !errors.Is(err, errDead) {
				t.Fatalf("change %d: %v", at, err)
			}
			r := rng(at, fate)
			disk = disk.afterPowerLoss(r)
			if err := live(&process{disk: disk, fault: dieAt(1 + r.IntN(40))}, d, "two"); err != nil && !errors.Is(err, errDead) {
				t.Fatalf("change %d, fate %d, second start: %v", at, fate, err)
			}
			if err := d.check(disk.afterPowerLoss(r)); err != nil {
				t.Fatalf("power lost at change %d, fate %d: %v", at, fate, err)
			}
		}
	}
}

// Ensure that folders which a killed process left unflushed don't take with
// them what the next process puts there.
func TestAcknowledgedSurvivesAKillAndThenPowerLoss(t *testing.T) {
	for at := 1; at <= changesOf(t); at++ {
		for fate := range 3 {
			d, disk := newDiary(), newPowerFS()
			if err := live(&process{disk: disk, fault: dieAt(at)}, d, "killed"); !errors.Is(err, errDead) {
				t.Fatalf("change %d: %v", at, err)
			}
			s, err := openStore(&process{disk: disk})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.put(s, neighbours(4)[3]); err != nil {
				t.Fatal(err)
			}
			if err := d.check(disk.afterPowerLoss(rng(at, fate))); err != nil {
				t.Fatalf("killed at change %d, power lost later, fate %d: %v", at, fate, err)
			}
		}
	}
}

func TestAcknowledgedByTwoProcessesSurvivesPowerLoss(t *testing.T) {
	texts := append(neighbours(5), "a", "b", "c")
	for seed := range 150 {
		d, disk := newDiary(), newPowerFS()
		left := rng(seed, 1).IntN(120)
		off := func(int, string) error { // under the disk's lock, for both
			if left--; left < 0 {
				return errDead
			}
			return nil
		}
		var wg sync.WaitGroup
		for who := range 2 {
			wg.Go(func() {
				s, err := openStore(&process{disk: disk, fault: off})
				for _, i := range rng(seed, 2+who).Perm(len(texts)) {
					if err == nil {
						err = d.put(s, texts[i])
					}
				}
				if err != nil && !errors.Is(err, errDead) {
					t.Errorf("seed %d: %v", seed, err)
				}
			})
		}
		wg.Wait()
		if err := d.check(disk.afterPowerLoss(rng(seed, 9))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Ensure the model of a power loss sees what it is there to see: a store whose
// disk skips one kind of flush is caught.
func TestASkippedFlushIsCaught(t *testing.T) {
	for _, skipped := range []string{"create", "sync folder"} {
		caught := false
		for fate := range 200 {
			d, disk := newDiary(), newPowerFS()
			if err := live(&process{disk: disk, lies: func(op string) bool { return op == skipped }}, d, "one"); err != nil {
				t.Fatal(err)
			}
			caught = caught || d.check(disk.afterPowerLoss(rng(fate, 0))) != nil
		}
		if !caught {
			t.Errorf("without the flush of %q nothing was lost", skipped)
		}
	}
}

// Ensure a disk that is full, or fails, at any change says so, loses nothing
// and is as good as ever afterwards.
func TestFailingDiskAtEveryChangeLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		hint    string
		forever bool // until the end of that life; removals work
	}{
		"full once": {syscall.ENOSPC, "free some space", false},
		"full":      {syscall.ENOSPC, "free some space", true},
		"quota":     {syscall.EDQUOT, "free some space", true},
		"broken":    {syscall.EIO, "", false},
		"read-only": {syscall.EROFS, "mount the disk writable", true},
		"forbidden": {syscall.EACCES, "right to read and write", true},
	} {
		for at := 1; at <= changesOf(t); at++ {
			d, disk := newDiary(), newPowerFS()
			fault := func(n int, op string) error {
				if n == at || c.forever && n > at && op != "remove" && op != "discard" {
					return c.err
				}
				return nil
			}
			err := live(&process{disk: disk, fault: fault}, d, "one")
			if err == nil {
				continue // it was an attempt to tidy up, or a flush that can be left out
			}
			if remuda.CodeOf(err) != remuda.Unavailable || !errors.Is(err, c.err) ||
				!strings.Contains(remuda.HintOf(err), c.hint) || !strings.Contains(err.Error(), diskRoot) {
				t.Fatalf("%s at change %d: got %v, hint %q", name, at, err, remuda.HintOf(err))
			}
			if err := live(&process{disk: disk}, d, "two"); err != nil {
				t.Fatalf("%s at change %d, mended: %v", name, at, err)
			}
			if err := d.check(disk.afterPowerLoss(rng(at, 0))); err != nil {
				t.Fatalf("%s at change %d: %v", name, at, err)
			}
		}
	}
}

func TestReadOnlyFolderIsReadAndSaysSo(t *testing.T) {
	disk, ctx := newPowerFS(), context.Background()
	writable, err := openStore(&process{disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	ref, _, err := writable.Put(ctx, bytes.NewReader([]byte("kept")), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writable.PutDerived(ctx, ref, "thumb", []byte(small)); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(&process{disk: disk, fault: func(int, string) error { return syscall.EROFS }})
	if err != nil {
		t.Fatalf("open a read-only folder: %v", err)
	}
	if got, err := readBlob(s, ref); err != nil || got != "kept" {
		t.Errorf("read: got %q, %v", got, err)
	}
	if got, err := s.Derived(ctx, ref, "thumb"); err != nil || string(got) != small {
		t.Errorf("derived: got %q, %v", got, err)
	}
	_, _, putErr := s.Put(ctx, strings.NewReader("new"), 0)
	_, sweepErr := s.Sweep(ctx, func(Ref) (bool, error) { return false, nil }, farAhead)
	for name, err := range map[string]error{
		"put": putErr, "sweep": sweepErr, "delete": s.Delete(ctx, ref), "touch": s.Touch(ctx, ref),
		"put derived": s.PutDerived(ctx, ref, "other", nil),
	} {
		if remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(remuda.HintOf(err), "writable") {
			t.Errorf("%s: got %v, hint %q", name, err, remuda.HintOf(err))
		}
	}
}

// Ensure another process cannot put or touch a blob between a sweep's look at
// its age and its removal: it waits, and then either sends the bytes or is told
// that they are gone.
func TestNobodyComesBetweenALookAndARemoval(t *testing.T) {
	const data = "an old picture"
	ref, ctx := RefOf([]byte(data)), context.Background()
	for name, c := range map[string]struct {
		do   func(*Store) error
		code remuda.Code // of the answer, once the blob is gone
		kept bool
	}{
		"touch": {func(s *Store) error { return s.Touch(ctx, ref) }, remuda.NotFound, false},
		"put":   {func(s *Store) error { return newDiary().put(s, data) }, "", true},
	} {
		sweeping, other := &process{disk: newPowerFS()}, &process{}
		other.disk = sweeping.disk
		s, err := openStore(sweeping)
		if err != nil {
			t.Fatal(err)
		}
		if err := newDiary().put(s, data); err != nil {
			t.Fatal(err)
		}
		s2, err := openStore(other)
		if err != nil {
			t.Fatal(err)
		}
		waits, answer := make(chan struct{}), make(chan error, 1)
		other.locking = sync.OnceFunc(func() { close(waits) })
		between := sync.OnceFunc(func() {
			done := make(chan struct{})
			go func() { answer <- c.do(s2); close(done) }()
			select {
			case <-waits:
			case <-done: // wrongly
			}
		})
		sweeping.looking = func(op string) {
			if op == "remove" {
				between()
			}
		}
		info, err := s.Stat(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		swept, err := s.Sweep(ctx, func(Ref) (bool, error) { return false, nil }, info.ModTime.Add(time.Second))
		if err != nil {
			t.Fatalf("%s: sweep: %+v, %v", name, swept, err)
		}
		if err := <-answer; remuda.CodeOf(err) != c.code {
			t.Errorf("%s: answered %v, want code %q", name, err, c.code)
		}
		if got, err := readBlob(s, ref); c.kept != (err == nil && got == data) {
			t.Errorf("%s: afterwards %q, %v", name, got, err)
		}
	}
}
