package servertest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look into the database of a server that was killed

	"remuda/internal/postgrestest"
)

// ledger is what a client knows of its writes: what was answered with success
// must be there, what was sent may be.
type ledger struct {
	mu    sync.Mutex
	image map[string][]byte // by reference id: what was sent
	acked map[string]bool   // by reference id
	boxes map[string]*width // by reference id, of the box that has it as its id too
}

// width is of a box that is written over and over, each time wider.
type width struct{ acked, sent int }

func newLedger() *ledger {
	return &ledger{image: map[string][]byte{}, acked: map[string]bool{}, boxes: map[string]*width{}}
}

// write uploads images and draws boxes on them until the server is gone.
func (l *ledger) write(t *testing.T, c caller, dataset string, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for n := uint64(0); ; n++ {
		ref := fmt.Sprintf("%d-%d", seed, n)
		picture := picture(t, seed<<20|n, int(random.Uint32N(30000)))
		l.note(func() { l.image[ref] = picture })
		status, text, err := c.upload(context.Background(), dataset, ref, picture, n%2 == 0)
		if err != nil {
			return
		}
		if status != http.StatusOK {
			t.Errorf("upload %s: %d %s", ref, status, text)
			return
		}
		w := &width{}
		l.note(func() { l.acked[ref], l.boxes[ref] = true, w })
		for range 1 + random.IntN(3) {
			l.note(func() { w.sent++ })
			status, text, err := c.annotate(context.Background(), dataset, ref, ref, w.sent)
			if err != nil {
				return
			}
			if status != http.StatusOK {
				t.Errorf("annotate %s: %d %s", ref, status, text)
				return
			}
			l.note(func() { w.acked = w.sent })
		}
	}
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// check compares what a server has with what was answered; the images of refs are read, or all if it is nil.
func (l *ledger) check(t *testing.T, c caller, dataset string, refs map[string]bool) {
	t.Helper()
	items := c.export(t, dataset)
	for ref := range l.acked {
		if _, there := items[ref]; !there {
			t.Errorf("item %s was acknowledged and is lost", ref)
		}
	}
	for ref, item := range items {
		sent, known := l.image[ref]
		if !known {
			t.Errorf("item %s was never sent", ref)
			continue
		}
		if refs == nil || refs[ref] {
			if status, got, err := c.bytes(t.Context(), item.Item.URL); err != nil || status != http.StatusOK || !bytes.Equal(got, sent) {
				t.Errorf("the image of %s: %d, %d bytes of %d, %v", ref, status, len(got), len(sent), err)
			}
		}
		w := l.boxes[ref]
		if w == nil {
			w = &width{}
		}
		got := 0
		if len(item.Boxes) > 0 {
			got = item.Boxes[0].Geometry.Width
		}
		if len(item.Boxes) > 1 || got < w.acked || got > w.sent {
			t.Errorf("the box of %s has width %d (%d boxes): %d was acknowledged, %d sent", ref, got, len(item.Boxes), w.acked, w.sent)
		}
	}
}

// intact looks into the database file of a server that does not run.
func intact(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "remuda.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		t.Errorf("integrity_check says %q, %v", said, err)
	}
	var broken int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil || broken > 0 {
		t.Errorf("%d broken references, %v", broken, err)
	}
}

// rounds is how often a server is killed: 5 times, or as REMUDA_KILL_ROUNDS says.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REMUDA_KILL_ROUNDS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Ensure that a server that is killed at any moment has lost nothing that it acknowledged.
func TestKilledServerHasLostNothing(t *testing.T) {
	p := Build(t)
	t.Run("SQLite", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		killed(t, p, rounds(t), []string{"--data", dir}, func() { intact(t, dir) }, true)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		place := []string{"--data", filepath.Join(t.TempDir(), "data"), "--database", postgrestest.New(t)}
		long := os.Getenv("REMUDA_KILL_ROUNDS") != "" // a minute passes before another takes the work of a worker that is silent
		killed(t, p, (rounds(t)+1)/2, place, func() {}, long)
	})
}

func killed(t *testing.T, p Program, rounds int, place []string, dead func(), settle bool) {
	key := p.Key(t, place, "kill")
	s := p.Serve(t, place...)
	l, dataset := newLedger(), newCaller(s.URL, key).dataset(t)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range uint64(rounds) {
		before := len(l.acked)
		c := newCaller(s.URL, key)
		var writers sync.WaitGroup
		for w := range uint64(4) {
			writers.Go(func() { l.write(t, c, dataset, round*4+w) })
		}
		<-time.After(20*time.Millisecond + time.Duration(random.Int64N(int64(500*time.Millisecond)))) // any moment
		s.Kill()
		writers.Wait()
		c.http.CloseIdleConnections()
		dead()
		s = p.Serve(t, place...)
		fresh := make(map[string]bool)
		for ref := range l.image {
			var seed uint64
			if _, err := fmt.Sscanf(ref, "%d-", &seed); err == nil && seed/4 == round {
				fresh[ref] = true
			}
		}
		l.check(t, newCaller(s.URL, key), dataset, fresh)
		if t.Failed() {
			t.Fatalf("in round %d; the server said: %s", round, s.Log())
		}
		if testing.Verbose() && round%20 == 0 {
			t.Logf("round %d: %d images acknowledged, %d in all", round, len(l.acked)-before, len(l.acked))
		}
	}
	if len(l.acked) < rounds {
		t.Fatalf("only %d images were acknowledged in %d rounds: the test shows nothing", len(l.acked), rounds)
	}
	c := newCaller(s.URL, key)
	l.check(t, c, dataset, nil)
	if settle {
		settled(t, c, dataset)
	}
	s.Stop(t)
	dead()
	boxes := 0
	for _, w := range l.boxes {
		boxes += w.acked
	}
	t.Logf("%d kills, %d images and %d saves of boxes acknowledged, none lost", rounds, len(l.acked), boxes)
}

// settled waits until no job is open, and sees that all images were looked at.
func settled(t *testing.T, c caller, dataset string) {
	t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		var open []any
		c.json(t, "POST", "jobs/", map[string]any{"dataset_id": dataset}, &open)
		if len(open) == 0 {
			break
		}
	}
	for ref, item := range c.export(t, dataset) {
		if len(item.Item.PHash) != 64 {
			t.Errorf("the image of %s was never looked at", ref)
		}
	}
}
