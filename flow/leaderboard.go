package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/store"
)

// RankingQuery says which evaluations compete.
type RankingQuery struct {
	Metric       eval.RankingMetric
	Benchmarks   []string
	Models       []string // all if empty
	Confidence   float64  // of the predictions that count for precision, recall and F1
	Mine         bool     // only those that the caller made
	BestPerModel bool
}

// Ranked is an evaluation's place.
type Ranked struct {
	Evaluation store.Evaluation
	Score      float64
}

// Ranking returns the evaluations on benchmarks, best first; those whose
// number has no meaning are left out.
func (f *Flow) Ranking(ctx context.Context, caller remuda.Caller, q RankingQuery) (ranked []Ranked, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	if len(q.Benchmarks) == 0 {
		return nil, remuda.Errorf(remuda.Invalid, "rank evaluations: no benchmark is named")
	}
	if _, err := eval.Rank(q.Metric, eval.APs{}, eval.Counts{}); err != nil {
		return nil, err
	}
	filter := store.EvaluationFilter{Benchmarks: q.Benchmarks, Succeeded: true}
	if q.Mine {
		filter.CreatedBy = caller.Author()
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		ranked = nil
		for _, id := range q.Benchmarks {
			if _, err := tx.Benchmark(id); err != nil {
				return err
			}
		}
		found, err := tx.Evaluations(filter)
		if err != nil {
			return err
		}
		for _, e := range found {
			if len(q.Models) > 0 && !slices.Contains(q.Models, e.Model) {
				continue
			}
			score, err := scoreOf(tx, e, q)
			if err != nil {
				return err
			}
			if score != nil {
				ranked = append(ranked, Ranked{e, *score})
			}
		}
		return nil
	})
	slices.SortStableFunc(ranked, func(a, b Ranked) int { return cmp.Compare(b.Score, a.Score) })
	if q.BestPerModel {
		seen := make(map[string]bool)
		ranked = slices.DeleteFunc(ranked, func(r Ranked) bool {
			again := seen[r.Evaluation.Model]
			seen[r.Evaluation.Model] = true
			return again
		})
	}
	return ranked, err
}

func scoreOf(tx *store.Tx, e store.Evaluation, q RankingQuery) (*float64, error) {
	var summary EvaluationSummary
	if err := json.Unmarshal(e.Summary, &summary); err != nil {
		return nil, remuda.Errorf(remuda.Internal, "read the summary of evaluation %s: %w", e.ID, err)
	}
	counts, err := tx.CountMatches(e.ID, q.Confidence)
	if err != nil {
		return nil, err
	}
	return eval.Rank(q.Metric, summary.APs, eval.Counts{TP: counts.Found, FP: counts.Wrong, FN: counts.Missed, Predictions: counts.Found + counts.Wrong})
}
