package store

import (
	"database/sql"

	"remuda"
	"remuda/slice"
)

// MatchedPair is a match of an evaluation with the categories of its boxes as they were then.
type MatchedPair struct {
	Number        int64 // in the evaluation
	Match         Match
	Category      string
	OtherCategory string // "" if there is no other box
}

// NewestEvaluation returns the id of the newest evaluation of a run that has succeeded.
func (tx *Tx) NewestEvaluation(run string) (string, error) {
	return one(tx, "evaluation of run "+run, scalar[string],
		"SELECT id FROM evaluation WHERE world = $1 AND run = $2 AND boxes IS NOT NULL ORDER BY id DESC LIMIT 1", tx.Caller.World, run)
}

// MatchesAfter returns at most n matches of a kind in an evaluation, behind a
// number (-1 for all), on those items of a dataset that a filter of items
// chooses. Of a pair it is the prediction's match.
func (tx *Tx) MatchesAfter(dataset, evaluation string, kind MatchKind, f slice.Filter, after int64, n int) ([]MatchedPair, error) {
	if f.Level == slice.Boxes {
		return nil, remuda.Errorf(remuda.Invalid, "find matches by a filter of boxes").WithHint("filter items: any box (…)")
	}
	run, err := tx.newFilterRun(dataset, "", f)
	if err != nil {
		return nil, err
	}
	q := run.query()
	q.byItem = true
	predicted := ""
	if kind == MatchFound {
		predicted = " AND box.run <> ''"
	}
	return all(tx, scanMatchedPair, `SELECT m.number, m.item, m.kind, m.annotation, m.annotation_revision, m.other, m.other_revision, m.iou, m.confidence, box.category, other.category
		FROM evaluation_match m`+tx.inOrder()+"annotation box ON box.id = m.annotation AND box.revision = m.annotation_revision"+predicted+tx.inOrder()+`item ON item.id = m.item
		LEFT JOIN annotation other ON other.id = m.other AND other.revision = m.other_revision
		WHERE m.evaluation = `+q.arg(evaluation)+" AND m.kind = "+q.arg(string(kind))+" AND m.number > "+q.arg(after)+" AND "+run.where(q)+
		" ORDER BY m.number LIMIT "+q.arg(limit(n)), q.args...)
}

func scanMatchedPair(row rowScanner) (p MatchedPair, err error) {
	var iou, confidence sql.NullFloat64
	var category, other sql.NullString
	m := &p.Match
	err = row.Scan(&p.Number, &m.Item, &m.Kind, &m.Annotation, &m.Revision, &m.Other, &m.OtherRevision, &iou, &confidence, &category, &other)
	m.IoU, p.Category, p.OtherCategory = iou.Float64, category.String, other.String
	if confidence.Valid {
		m.Confidence = &confidence.Float64
	}
	return p, err
}
