package label

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"remuda"
)

// audited is what follows from an audit: a fix replaces the result, a rejection
// sends the task back if its plan says so.
func (t Task) audited(w Work, now time.Time) (Task, []Event) {
	event := t.event(EventAudited, w.By, now, w.Reason)
	event.Verdict = w.Verdict
	events := []Event{event}
	switch {
	case w.Verdict == Fixed:
		if t.Result != nil {
			t.Prior = added(t.Prior, *t.Result)
		}
		fix := w.Answer.Clone()
		t.Result = &fix
	case w.Verdict == Rejected && t.Plan.Redo:
		recalled := t.event(EventRecalled, w.By, now, w.Reason)
		t = t.again()
		return t, append(events, recalled)
	}
	return t, events
}

// AuditNow audits the task without a lease, as programs do. It is refused while
// another auditor holds the task. The same word twice counts once, so that it
// can be sent again, also where a rejection has sent the task back meanwhile.
func (t Task) AuditNow(p Person, b Batch, s Submission, q Question, now time.Time) (Task, []Event, error) {
	if s.Answer == nil && t.said(p, s) {
		return t, nil, nil
	}
	if t.Status != Completed {
		return t, nil, remuda.Errorf(remuda.Invalid, "task %s is %s and has no result to audit", t.ID, t.Status).
			WithHint("audit it once it is completed")
	}
	held, before, err := t.Take(p, b, now)
	if err != nil {
		return t, nil, err
	}
	s.Lease = held.Lease.Number
	next, events, err := held.Submit(p.ID, s, q, now)
	if err != nil {
		return t, nil, err
	}
	next.Revision = t.Revision + 1
	return next, append(before, events...), nil
}

// said reports whether the last word on the task is this person's same verdict.
func (t Task) said(p Person, s Submission) bool {
	if len(t.Work) == 0 {
		return false
	}
	last := t.Work[len(t.Work)-1]
	stands := last.Round == t.Round || s.Verdict == Rejected && last.Round == t.Round-1
	return stands && last.Stage == Auditing && last.By == p.ID && last.Verdict == s.Verdict && last.Reason == s.Reason
}

// Sample chooses n of a batch's completed tasks at random to be audited, or all
// if there are fewer. An id's rank is the first eight bytes of SHA-256 over the
// seed (eight bytes, little-endian) and the id, and the n lowest are chosen, so
// the choice doesn't depend on the order of ids, and a larger sample of the
// same seed has the smaller one in it.
func Sample(ids []string, n int, seed uint64) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	rank := make(map[string]uint64, len(sorted))
	for _, id := range sorted {
		rank[id] = draw(seed, id)
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return sorted[:min(max(n, 0), len(sorted))]
}

// draw returns a number that looks random and depends on seed and key alone.
func draw(seed uint64, key string) uint64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), key...))
	return binary.LittleEndian.Uint64(sum[:])
}

// Choose marks a completed task to be audited.
func (t Task) Choose(by string, now time.Time) (Task, []Event, error) {
	if t.Status != Completed || t.Kind != Real {
		return t, nil, remuda.Errorf(remuda.Invalid, "task %s has no result to audit", t.ID).WithHint("sample among completed tasks")
	}
	if t.Sampled {
		return t, nil, nil
	}
	next := t.next()
	next.Sampled = true
	return next, []Event{t.event(EventSampled, by, now, "")}, nil
}
