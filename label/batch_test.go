package label

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"remuda"
)

func TestOrderOfBatches(t *testing.T) {
	at := func(hour int) time.Time { return monday.Add(time.Duration(hour) * time.Hour) }
	batches := []Batch{
		{Name: "old", Kind: Production, Created: at(0)},
		{Name: "new", Kind: Production, Created: at(2)},
		{Name: "calibration", Kind: Calibration, Created: at(3)},
		{Name: "second", Kind: Production, Rank: 2, Created: at(1)},
		{Name: "first", Kind: Production, Rank: 1, Created: at(4)},
	}
	slices.SortFunc(batches, Batch.Order)
	var names []string
	for _, b := range batches {
		names = append(names, b.Name)
	}
	if got := strings.Join(names, " "); got != "first second calibration old new" {
		t.Error(got)
	}
}

func TestManagersRankBatches(t *testing.T) {
	batches := []Batch{{Name: "a", Status: InProgress}, {Name: "b", Status: Staging, Rank: 1}, {Name: "done", Status: BatchCompleted}}
	for _, c := range []struct {
		name  string
		names []string
		want  string // name:rank of the changed ones
		fails bool
	}{
		{"all", []string{"b", "a"}, "a:2", false},
		{"the other way", []string{"a", "b"}, "a:1 b:2", false},
		{"default", nil, "b:0", false},
		{"one missing", []string{"a"}, "", true},
		{"one twice", []string{"a", "b", "a"}, "", true},
		{"one unknown", []string{"a", "b", "c"}, "", true},
		{"one completed", []string{"a", "b", "done"}, "", true},
	} {
		changed, err := Rank(batches, c.names)
		var got []string
		for _, b := range changed {
			got = append(got, fmt.Sprintf("%s:%d", b.Name, b.Rank))
		}
		if strings.Join(got, " ") != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestWhoWorksOnABatch(t *testing.T) {
	open := Batch{Name: "b", Project: "p", Kind: Production, Status: InProgress}
	for _, c := range []struct {
		name   string
		change func(*Batch, *Person)
		code   remuda.Code
	}{
		{"anyone in the project", func(*Batch, *Person) {}, ""},
		{"staging", func(b *Batch, _ *Person) { b.Status = Staging }, remuda.Conflict},
		{"not assigned", func(_ *Batch, p *Person) { p.Projects = []string{"q"} }, remuda.Unauthorized},
		{"a manager, not assigned", func(_ *Batch, p *Person) { p.Projects, p.Role = nil, remuda.Manager }, ""},
		{"a labeler, self-label", func(b *Batch, _ *Person) { b.Kind = SelfLabel }, remuda.Unauthorized},
		{"a manager, self-label", func(b *Batch, p *Person) { b.Kind, p.Role = SelfLabel, remuda.Manager }, ""},
		{"another group", func(b *Batch, p *Person) { b.Groups, p.Groups = []string{"vets"}, []string{"grooms"} }, remuda.Unauthorized},
		{"the group", func(b *Batch, p *Person) { b.Groups, p.Groups = []string{"vets"}, []string{"grooms", "vets"} }, ""},
		{"by name", func(b *Batch, p *Person) { b.Groups = []string{"vets", "ann"} }, ""},
	} {
		b, p := open, ann
		c.change(&b, &p)
		err := b.May(p)
		if remuda.CodeOf(err) != c.code || err != nil && remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLifeOfABatch(t *testing.T) {
	b := Batch{Name: "b", Kind: Production, Status: Staging}
	if err := b.Accepts(); err != nil {
		t.Errorf("staging refuses tasks: %v", err)
	}
	step := func(next Batch, events []Event, status BatchStatus, kind EventKind) {
		t.Helper()
		if next.Status != status || (kind == "") != (len(events) == 0) || kind != "" && events[0].Kind != kind {
			t.Fatalf("%s, %+v; want %s, %s", next.Status, events, status, kind)
		}
		if (next.Revision == b.Revision) != (kind == "") {
			t.Fatalf("revision %d after %d", next.Revision, b.Revision)
		}
		b = next
	}
	try := func(counts Counts, status BatchStatus, kind EventKind) {
		t.Helper()
		next, events := b.Settle(counts, monday)
		step(next, events, status, kind)
	}
	try(Counts{Completed: 1}, Staging, "")
	next, events := b.Finalize("fay", monday)
	step(next, events, InProgress, EventBatchFinalized)
	next, events = b.Finalize("fay", monday)
	step(next, events, InProgress, "")
	if err := b.Accepts(); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a finalized batch takes tasks: %v", err)
	}
	try(Counts{}, InProgress, "")
	try(Counts{Pending: 1, Completed: 9}, InProgress, "")
	try(Counts{Completed: 9, Error: 1}, BatchCompleted, EventBatchCompleted)
	try(Counts{Completed: 9, Error: 1}, BatchCompleted, "")
	try(Counts{Pending: 1, Completed: 9}, InProgress, EventBatchResumed)
	next, events = b.Reopen("fay", "ten more", monday)
	step(next, events, Staging, EventBatchReopened)
	next, events = b.Reopen("fay", "ten more", monday)
	step(next, events, Staging, "")
}

func TestAdviceKeepsNobodyFromFinalizing(t *testing.T) {
	b := Batch{Name: "b", Kind: Production, Status: Staging}
	for _, c := range []struct {
		name  string
		ready Readiness
		kind  BatchKind
		want  int
	}{
		{"nothing done", Readiness{Bar: 0.8}, Production, 2},
		{"below the bar", Readiness{Calibrated: true, Score: 0.7, Bar: 0.8, Evaluations: 9}, Production, 1},
		{"ready", Readiness{Calibrated: true, Score: 0.8, Bar: 0.8, Evaluations: 9}, Production, 0},
		{"calibration itself", Readiness{Bar: 0.8}, Calibration, 0},
	} {
		b.Kind = c.kind
		if got := b.Advice(c.ready); len(got) != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
		if next, _ := b.Finalize("fay", monday); next.Status != InProgress {
			t.Errorf("%s: %s", c.name, next.Status)
		}
	}
}
