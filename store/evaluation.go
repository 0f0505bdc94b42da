package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"remuda"
)

// EvaluationStatus says how far an evaluation is: as far as its job.
type EvaluationStatus string

// The states of an evaluation.
const (
	EvaluationPending   EvaluationStatus = "pending"
	EvaluationComputing EvaluationStatus = "computing"
	EvaluationSucceeded EvaluationStatus = "succeeded"
	EvaluationFailed    EvaluationStatus = "failed"
	EvaluationCancelled EvaluationStatus = "cancelled"
)

// Ended says whether nothing will change any more.
func (s EvaluationStatus) Ended() bool {
	return s == EvaluationSucceeded || s == EvaluationFailed || s == EvaluationCancelled
}

// Evaluation is the predictions of a run, scored on a benchmark or, if
// Benchmark is "", on all items of the run's datasets.
type Evaluation struct {
	ID         string
	World      remuda.World
	Name       string
	Model      string
	Run        string
	Benchmark  string
	Dataset    string          // the only one that it is of; "" if there are several
	Rule       json.RawMessage // which labels match, as package flow writes it
	Exclusions json.RawMessage // what is left out, as package flow writes it
	Status     EvaluationStatus
	Problem    string // why it failed, a sentence
	Job        string // that computes it
	Boxes      string // SHA-256 of what was compared, hex; "" until it has succeeded
	Summary    json.RawMessage
	CreatedAt  time.Time
	CreatedBy  string

	RunHidden bool   // of the run: the predictions were sent without one
	ModelName string // of the model and the run, for lists
	RunName   string
}

const evaluationColumns = "id, world, name, model, run, benchmark, dataset, rule, exclusions, job, boxes, summary, created_at, created_by"

// livingEvaluations are evaluations of runs of the world that is parameter $1.
const livingEvaluations = "evaluation e JOIN model ON model.id = e.model AND model.deleted_at IS NULL AND e.world = $1 JOIN model_run r ON r.id = e.run AND r.deleted_at IS NULL LEFT JOIN job ON job.id = e.job"

func scanEvaluation(row rowScanner) (e Evaluation, err error) {
	var rule, exclusions, summary string
	var boxes sql.NullString
	var created int64
	var job JobStatus
	err = row.Scan(&e.ID, &e.World, &e.Name, &e.Model, &e.Run, &e.Benchmark, &e.Dataset, &rule, &exclusions, &e.Job, &boxes,
		&summary, &created, &e.CreatedBy, &e.RunHidden, &e.ModelName, &e.RunName, &job, &e.Problem)
	e.Rule, e.Exclusions, e.Boxes, e.Summary = json.RawMessage(rule), json.RawMessage(exclusions), boxes.String, json.RawMessage(summary)
	e.CreatedAt = fromMillis(created)
	switch {
	case boxes.Valid:
		e.Status, e.Problem = EvaluationSucceeded, ""
	case job == JobWaiting:
		e.Status = EvaluationPending
	case job == JobRunning:
		e.Status = EvaluationComputing
	case job == JobCancelled:
		e.Status = EvaluationCancelled
	default:
		e.Status = EvaluationFailed
	}
	return e, err
}

func selectEvaluation() string {
	return "SELECT " + qualified("e", evaluationColumns) + ", r.hidden, model.name, r.name, COALESCE(job.status, ''), COALESCE(job.problem, '') FROM " + livingEvaluations
}

// CreateEvaluation adds a pending evaluation with a new id in the caller's world and returns it.
func (tx *Tx) CreateEvaluation(e Evaluation) (Evaluation, error) {
	e.ID, e.World, e.Status, e.CreatedAt, e.CreatedBy = tx.NewID("evalv2"), tx.Caller.World, EvaluationPending, tx.Now, tx.Caller.Author()
	e.Rule, e.Summary = orObject(e.Rule), orObject(e.Summary)
	if len(e.Exclusions) == 0 {
		e.Exclusions = json.RawMessage("[]")
	}
	_, err := tx.exec("INSERT INTO evaluation ("+evaluationColumns+") VALUES ("+placeholders(1, 14)+")",
		e.ID, e.World, e.Name, e.Model, e.Run, e.Benchmark, e.Dataset, string(e.Rule), string(e.Exclusions), e.Job, nullText(e.Boxes),
		string(e.Summary), millis(e.CreatedAt), e.CreatedBy)
	return e, err
}

// Evaluation returns an evaluation of the caller's world.
func (tx *Tx) Evaluation(id string) (Evaluation, error) {
	return one(tx, "evaluation "+id, scanEvaluation, selectEvaluation()+" WHERE e.id = $2", tx.Caller.World, id)
}

// EvaluationFilter chooses evaluations; zero fields choose all.
type EvaluationFilter struct {
	Model      string
	Run        string
	Benchmarks []string
	CreatedBy  string
	Succeeded  bool // only those that have
}

// Evaluations returns those of the caller's world that the filter chooses, newest first.
func (tx *Tx) Evaluations(f EvaluationFilter) ([]Evaluation, error) {
	var where strings.Builder
	args := []any{tx.Caller.World}
	for _, c := range []struct{ column, value string }{{"e.model", f.Model}, {"e.run", f.Run}, {"e.created_by", f.CreatedBy}} {
		if c.value != "" {
			args = append(args, c.value)
			where.WriteString(" AND " + c.column + " = " + placeholder(len(args)))
		}
	}
	if f.Succeeded {
		where.WriteString(" AND e.boxes IS NOT NULL")
	}
	if len(f.Benchmarks) > 0 {
		where.WriteString(" AND e.benchmark IN (" + placeholders(len(args)+1, len(f.Benchmarks)) + ")")
		for _, id := range f.Benchmarks {
			args = append(args, id)
		}
	}
	return all(tx, scanEvaluation, selectEvaluation()+" WHERE e.world = $1"+where.String()+" ORDER BY e.id DESC", args...)
}

// UpdateEvaluation writes an evaluation's job and what that computed.
func (tx *Tx) UpdateEvaluation(e Evaluation) error {
	_, err := tx.exec("UPDATE evaluation SET job = $2, boxes = $3, summary = $4 WHERE id = $1", e.ID, e.Job, nullText(e.Boxes), string(orObject(e.Summary)))
	return err
}

// DeleteEvaluation removes an evaluation of the caller's world with its matches.
func (tx *Tx) DeleteEvaluation(id string) error {
	for _, query := range []string{
		"DELETE FROM evaluation_match WHERE evaluation IN (SELECT id FROM evaluation WHERE id = $1 AND world = $2)",
		"DELETE FROM evaluation WHERE id = $1 AND world = $2",
	} {
		if _, err := tx.exec(query, id, tx.Caller.World); err != nil {
			return err
		}
	}
	return nil
}

// EvaluationsOfModel returns the ids of the evaluations of a model, also of a deleted one.
func (tx *Tx) EvaluationsOfModel(model string) ([]string, error) {
	return all(tx, scalar[string], "SELECT id FROM evaluation WHERE model = $1 AND world = $2 ORDER BY id", model, tx.Caller.World)
}

// EvaluationsOfRun returns the ids of the evaluations of a run, also of a deleted one.
func (tx *Tx) EvaluationsOfRun(run string) ([]string, error) {
	return all(tx, scalar[string], "SELECT id FROM evaluation WHERE run = $1 AND world = $2 ORDER BY id", run, tx.Caller.World)
}

// MatchKind is what became of a box in an evaluation.
type MatchKind string

// The kinds, as filters name them.
const (
	MatchFound   MatchKind = "tp"
	MatchWrong   MatchKind = "fp"
	MatchMissed  MatchKind = "missed"
	MatchIgnored MatchKind = "ignored"
)

// Match is what became of one annotation revision in an evaluation, at an IoU of 0.5.
type Match struct {
	Item          string
	Kind          MatchKind
	Annotation    string // the box that this is about
	Revision      int64
	Other         string // the box that it was matched with; "" if none
	OtherRevision int64
	IoU           float64  // with that; else the largest with one of its category
	Confidence    *float64 // of the prediction; nil where there is none
}

// ClearMatches forgets the matches of an evaluation.
func (tx *Tx) ClearMatches(evaluation string) error {
	_, err := tx.exec("DELETE FROM evaluation_match WHERE evaluation = $1", evaluation)
	return err
}

// AddMatches adds matches to an evaluation, numbered from first on.
func (tx *Tx) AddMatches(evaluation string, first int64, matches []Match) error {
	rows := make([][]any, len(matches))
	for i, m := range matches {
		var confidence any
		if m.Confidence != nil {
			confidence = *m.Confidence
		}
		rows[i] = []any{evaluation, first + int64(i), m.Item, m.Kind, m.Annotation, m.Revision, m.Other, m.OtherRevision, m.IoU, confidence}
	}
	return tx.insert("evaluation_match", "evaluation, number, item, kind, annotation, annotation_revision, other, other_revision, iou, confidence", "", rows)
}

// MatchCounts are the outcomes of an evaluation's boxes.
type MatchCounts struct{ Found, Wrong, Missed int }

// CountMatches counts outcomes when predictions below a confidence are left
// out; what they found is missed then.
func (tx *Tx) CountMatches(evaluation string, confidence float64) (MatchCounts, error) {
	return one(tx, "count", func(row rowScanner) (c MatchCounts, err error) {
		var both, below int // a pair has two rows
		err = row.Scan(&both, &below, &c.Wrong, &c.Missed)
		c.Found, c.Missed = both/2, c.Missed+below/2
		return c, err
	}, `SELECT COALESCE(SUM(CASE WHEN kind = 'tp' AND confidence >= $2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN kind = 'tp' AND confidence < $2 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN kind = 'fp' AND confidence >= $2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN kind = 'missed' THEN 1 ELSE 0 END), 0)
		FROM evaluation_match WHERE evaluation = $1`, evaluation, confidence)
}

// AnnotationRevision names one revision of an annotation.
type AnnotationRevision struct {
	ID       string
	Revision int64
}

// AnnotationRevisions returns revisions of annotations, whatever came after them; unknown ones are left out.
func (tx *Tx) AnnotationRevisions(wanted []AnnotationRevision) (map[AnnotationRevision]Annotation, error) {
	want := make(map[AnnotationRevision]bool, len(wanted))
	ids := make([]string, len(wanted))
	for i, w := range wanted {
		want[w], ids[i] = true, w.ID
	}
	found := make(map[AnnotationRevision]Annotation, len(wanted))
	err := inLists(unique(ids), 1, func(marks string, args []any) error {
		return each(tx, scanAnnotation, func(a Annotation) error {
			if is := (AnnotationRevision{a.ID, a.Revision}); want[is] {
				found[is] = a
			}
			return nil
		}, "SELECT "+annotationColumns+" FROM annotation WHERE id IN ("+marks+")", args...)
	})
	return found, err
}

// RankedBox is a box of an item as an evaluation compares it.
type RankedBox struct {
	BoxRow
	Revision   int64
	Confidence float64 // 1 where a prediction has none
}

// RankedBoxesOf hands the current boxes of items, ground truth or a run's
// predictions, to do, each item's in the order of their creation. If a slice is
// named, they are the ground truth that it was frozen with.
func (tx *Tx) RankedBoxesOf(items []string, run, frozen string, do func(RankedBox) error) error {
	from, and, first := "annotation a", "a.run = $1 AND a.ended_at IS NULL", run
	if frozen != "" {
		from, and, first = "slice_pin p JOIN annotation a ON a.id = p.annotation AND a.revision = p.revision AND a.item = p.item", "p.slice = $1 AND a.run = ''", frozen
	}
	return inLists(items, 2, func(marks string, args []any) error {
		return each(tx, func(row rowScanner) (b RankedBox, err error) {
			b.BoxRow, err = scanBox(prefixed{row, []any{&b.Revision, &b.Confidence}})
			return b, err
		}, do, "SELECT a.revision, COALESCE(a.confidence, 1), a.id, a.item, a.category, a.x0, a.y0, a.x1, a.y1, a.crowd, CASE WHEN a.body LIKE '"+areaPrefix+"%' THEN a.body ELSE '' END"+
			" FROM "+from+" WHERE "+and+" AND a.type = 'box' AND a.item IN ("+marks+") ORDER BY a.item, a.id", append([]any{first}, args...)...)
	})
}
