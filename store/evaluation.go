package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"remuda"
)

// EvaluationStatus says how far an evaluation is.
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
	UpdatedAt  time.Time

	RunHidden bool   // of the run: the predictions were sent without one
	ModelName string // of the model and the run, for lists
	RunName   string
}

const evaluationColumns = "id, world, name, model, run, benchmark, dataset, rule, exclusions, status, problem, job, boxes, summary, created_at, created_by, updated_at"

// livingEvaluations are evaluations of runs of the world that is parameter $1.
const livingEvaluations = "evaluation e JOIN model ON model.id = e.model AND model.deleted_at IS NULL AND e.world = $1 JOIN model_run r ON r.id = e.run AND r.deleted_at IS NULL"

func scanEvaluation(row rowScanner) (e Evaluation, err error) {
	var rule, exclusions, summary string
	var boxes sql.NullString
	var created, updated int64
	err = row.Scan(&e.ID, &e.World, &e.Name, &e.Model, &e.Run, &e.Benchmark, &e.Dataset, &rule, &exclusions, &e.Status, &e.Problem, &e.Job, &boxes,
		&summary, &created, &e.CreatedBy, &updated, &e.RunHidden, &e.ModelName, &e.RunName)
	e.Rule, e.Exclusions, e.Boxes, e.Summary = json.RawMessage(rule), json.RawMessage(exclusions), boxes.String, json.RawMessage(summary)
	e.CreatedAt, e.UpdatedAt = fromMillis(created), fromMillis(updated)
	return e, err
}

func selectEvaluation() string {
	return "SELECT " + qualified("e", evaluationColumns) + ", r.hidden, model.name, r.name FROM " + livingEvaluations
}

// CreateEvaluation adds a pending evaluation with a new id in the caller's world and returns it.
func (tx *Tx) CreateEvaluation(e Evaluation) (Evaluation, error) {
	e.ID, e.World, e.Status, e.CreatedAt, e.CreatedBy, e.UpdatedAt = tx.NewID("evalv2"), tx.Caller.World, EvaluationPending, tx.Now, tx.Caller.Author(), tx.Now
	e.Rule, e.Summary = orObject(e.Rule), orObject(e.Summary)
	if len(e.Exclusions) == 0 {
		e.Exclusions = json.RawMessage("[]")
	}
	_, err := tx.exec("INSERT INTO evaluation ("+evaluationColumns+") VALUES ("+placeholders(1, 17)+")",
		e.ID, e.World, e.Name, e.Model, e.Run, e.Benchmark, e.Dataset, string(e.Rule), string(e.Exclusions), e.Status, e.Problem, e.Job, nullText(e.Boxes),
		string(e.Summary), millis(e.CreatedAt), e.CreatedBy, millis(e.UpdatedAt))
	return e, err
}

// Evaluation returns an evaluation of the caller's world.
func (tx *Tx) Evaluation(id string) (Evaluation, error) {
	return one(tx, "evaluation "+id, scanEvaluation, selectEvaluation()+" WHERE e.id = $2", tx.Caller.World, id)
}

// LockEvaluation is Evaluation for one that is about to change: it keeps others
// from changing it until this transaction ends.
func (tx *Tx) LockEvaluation(id string) (Evaluation, error) {
	if _, err := tx.exec("UPDATE evaluation SET name = name WHERE id = $1 AND world = $2", id, tx.Caller.World); err != nil {
		return Evaluation{}, err
	}
	return tx.Evaluation(id)
}

// EvaluationFilter chooses evaluations; zero fields choose all.
type EvaluationFilter struct {
	Model      string
	Run        string
	Benchmarks []string
	Status     EvaluationStatus
	CreatedBy  string
}

// Evaluations returns those of the caller's world that the filter chooses, newest first.
func (tx *Tx) Evaluations(f EvaluationFilter) ([]Evaluation, error) {
	var where strings.Builder
	args := []any{tx.Caller.World}
	for _, c := range []struct{ column, value string }{{"e.model", f.Model}, {"e.run", f.Run}, {"e.status", string(f.Status)}, {"e.created_by", f.CreatedBy}} {
		if c.value != "" {
			args = append(args, c.value)
			where.WriteString(" AND " + c.column + " = " + placeholder(len(args)))
		}
	}
	if len(f.Benchmarks) > 0 {
		where.WriteString(" AND e.benchmark IN (" + placeholders(len(args)+1, len(f.Benchmarks)) + ")")
		for _, id := range f.Benchmarks {
			args = append(args, id)
		}
	}
	return all(tx, scanEvaluation, selectEvaluation()+" WHERE e.world = $1"+where.String()+" ORDER BY e.id DESC", args...)
}

// UpdateEvaluation writes how far an evaluation is and what came of it.
func (tx *Tx) UpdateEvaluation(e Evaluation) error {
	_, err := tx.exec("UPDATE evaluation SET dataset = $2, status = $3, problem = $4, job = $5, boxes = $6, summary = $7, updated_at = $8 WHERE id = $1",
		e.ID, e.Dataset, e.Status, e.Problem, e.Job, nullText(e.Boxes), string(orObject(e.Summary)), millis(tx.Now))
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
	IoU           float64 // with that; else the largest with one of its category
	Confidence    *float64
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

// AnnotationRevision names one revision of an annotation.
type AnnotationRevision struct {
	ID       string
	Revision int64
}

// AnnotationRevisions returns revisions of annotations, whatever came after them; unknown ones are left out.
func (tx *Tx) AnnotationRevisions(wanted []AnnotationRevision) (map[AnnotationRevision]Annotation, error) {
	found := make(map[AnnotationRevision]Annotation, len(wanted))
	for _, w := range wanted {
		a, err := one(tx, "annotation", scanAnnotation, "SELECT "+annotationColumns+" FROM annotation WHERE id = $1 AND revision = $2", w.ID, w.Revision)
		if remuda.CodeOf(err) == remuda.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[w] = a
	}
	return found, nil
}

// RankedBox is a box of an item as an evaluation compares it.
type RankedBox struct {
	BoxRow
	Revision   int64
	Confidence float64 // 1 where a prediction has none
}

// RankedBoxesOf returns the current boxes of items, ground truth or a run's
// predictions, each item's in the order of their creation, item by item.
func (tx *Tx) RankedBoxesOf(items []string, run string, do func(RankedBox) error) error {
	return inLists(items, 2, func(marks string, args []any) error {
		return each(tx, func(row rowScanner) (b RankedBox, err error) {
			b.BoxRow, err = scanBox(prefixed{row, []any{&b.Revision, &b.Confidence}})
			return b, err
		}, do, "SELECT revision, COALESCE(confidence, 1), id, item, category, x0, y0, x1, y1, crowd, CASE WHEN body LIKE '"+areaPrefix+"%' THEN body ELSE '' END"+
			" FROM annotation WHERE run = $1 AND type = 'box' AND ended_at IS NULL AND item IN ("+marks+") ORDER BY item, id", append([]any{run}, args...)...)
	})
}
