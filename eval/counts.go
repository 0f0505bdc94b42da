package eval

import (
	"cmp"
	"slices"

	"remuda"
)

// Counts are the outcomes of rows.
type Counts struct {
	TP, FP, FN  int
	Predictions int // that count: TP and FP
}

// CountRows counts the outcomes of rows when predictions below a confidence are
// left out; what they found is missed then.
func CountRows(rows []Row, confidence float64) Counts {
	var c Counts
	for i := range rows {
		r := &rows[i]
		switch {
		case r.Type == FalseNegative, r.Type == TruePositive && r.Confidence < confidence:
			c.FN++
		case r.Type == TruePositive:
			c.TP++
		case r.Type == FalsePositive && r.Confidence >= confidence:
			c.FP++
		}
	}
	c.Predictions = c.TP + c.FP
	return c
}

// confusionOf counts pairs of categories. A confused pair is counted with its
// false positive.
func confusionOf(rows []Row) []ConfusionCount {
	type cell struct{ truth, predicted string }
	counts := map[cell]int{}
	for i := range rows {
		r := &rows[i]
		switch {
		case r.Type == TruePositive, r.Type == FalsePositive && r.Confused:
			counts[cell{r.TruthCategory, r.PredictionCategory}]++
		case r.Type == FalsePositive:
			counts[cell{Background, r.PredictionCategory}]++
		case r.Type == FalseNegative && !r.Confused:
			counts[cell{r.TruthCategory, Background}]++
		}
	}
	list := make([]ConfusionCount, 0, len(counts))
	for k, n := range counts {
		list = append(list, ConfusionCount{k.truth, k.predicted, n})
	}
	slices.SortFunc(list, func(a, b ConfusionCount) int {
		return cmp.Or(cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Predicted, b.Predicted))
	})
	return list
}

func histogram(rows []Row) []HistogramBucket {
	buckets := make([]HistogramBucket, HistogramBuckets)
	for i := range buckets {
		buckets[i].Min, buckets[i].Max = float64(i)/HistogramBuckets, float64(i+1)/HistogramBuckets
	}
	for i := range rows {
		if r := &rows[i]; r.Type == TruePositive || r.Type == FalsePositive {
			at := int(min(max(r.Confidence, 0), 1) * HistogramBuckets)
			buckets[min(at, HistogramBuckets-1)].Count++
		}
	}
	return buckets
}

func errorCounts(rows []Row) (c ErrorCounts) {
	for i := range rows {
		if rows[i].Type == TruePositive {
			c.TruePositive++
		}
		switch rows[i].Error {
		case Localization:
			c.Localization++
		case Classification:
			c.Classification++
		case BothWrong:
			c.Both++
		case Duplicate:
			c.Duplicate++
		case OnBackground:
			c.Background++
		case MissedTruth:
			c.Missed++
		}
	}
	return c
}

// RankingMetric is a number that a leaderboard goes by.
type RankingMetric string

// The metrics of leaderboards.
const (
	RankMAP50     RankingMetric = "MAP_50"
	RankMAP5095   RankingMetric = "MAP_50_95"
	RankAPSmall   RankingMetric = "AP_SMALL"
	RankAPMedium  RankingMetric = "AP_MEDIUM"
	RankAPLarge   RankingMetric = "AP_LARGE"
	RankPrecision RankingMetric = "PRECISION"
	RankRecall    RankingMetric = "RECALL"
	RankF1        RankingMetric = "F1"
)

// Rank returns an evaluation's value, 0 to 1, of a metric; nil where it has no meaning, such as
// recall without ground truth. AP goes by all predictions, the other three by
// the counts at the confidence that was chosen. An unknown metric is invalid.
func Rank(metric RankingMetric, aps APs, counts Counts) (*float64, error) {
	t := tally{counts.TP, counts.FP, counts.FN}
	switch metric {
	case RankMAP50:
		return aps.MAP50, nil
	case RankMAP5095:
		return aps.MAP5095, nil
	case RankAPSmall:
		return aps.Small, nil
	case RankAPMedium:
		return aps.Medium, nil
	case RankAPLarge:
		return aps.Large, nil
	case RankPrecision:
		return defined(t.precision()), nil
	case RankRecall:
		return defined(t.recall()), nil
	case RankF1:
		return defined(t.f1()), nil
	}
	return nil, remuda.Errorf(remuda.Invalid, "rank evaluations by %q", metric).
		WithHint("use MAP_50, MAP_50_95, AP_SMALL, AP_MEDIUM, AP_LARGE, PRECISION, RECALL or F1")
}
