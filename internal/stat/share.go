package stat

import "math"

// ClopperPearson returns the exact interval of a share of which k in n were
// counted (Clopper and Pearson, Biometrika 1934): it holds the true share at
// least as often as it promises, also where k is 0 or n. Numbers between the
// whole ones stand for effective counts. It is 0 to 1 where n is 0.
func ClopperPearson(k, n float64) Interval {
	ends := Interval{0, 1}
	if !(n > 0) {
		return ends
	}
	k = min(max(k, 0), n)
	if k > 0 {
		ends[0] = BetaQuantile(tail, k, n-k+1)
	}
	if k < n {
		ends[1] = BetaQuantile(1-tail, k+1, n-k)
	}
	return ends
}

// Count is how many of the things in one cluster, such as the boxes of one
// image, were hits.
type Count struct{ Hits, Of float64 }

// Share returns the share of hits over all clusters, and its interval. Things
// of one cluster resemble each other, so that they tell less than as many
// independent ones: the interval is Clopper and Pearson's for the effective
// number of things, after Korn and Graubard (Survey Methodology 1998, 24:2).
// Where nothing was counted, the share is 0 and the interval 0 to 1.
func Share(clusters []Count) (float64, Interval) {
	var hits, n, filled float64
	for _, c := range clusters {
		hits += c.Hits
		n += c.Of
		if c.Of > 0 {
			filled++
		}
	}
	if n == 0 {
		return 0, Interval{0, 1}
	}
	p := hits / n
	var spread float64
	for _, c := range clusters {
		d := c.Hits - p*c.Of
		spread += d * d
	}
	effective := n
	if spread > 0 && filled > 1 && n > 1 {
		variance := filled / (filled - 1) * spread / (n * n)
		t := Student(n-1) / Student(filled-1)
		effective = min(n, p*(1-p)/variance*t*t)
	}
	return p, ClopperPearson(p*effective, effective)
}

// Rest returns how many bad ones are left among those not looked at, lowest
// and highest, after a sample drawn without replacement from a population had
// some bad ones: the exact interval by inverting the hypergeometric
// distribution (Buonaccorsi, The American Statistician 1987, 41:3). It wants
// 0 ≤ bad ≤ sample ≤ population.
func Rest(bad, sample, population int) (low, high int) {
	left := population - sample
	// Below, `rest` bad ones are left: the more, the likelier is a sample with
	// at least as many as seen, and the less likely one with at most as many.
	first := search(left, func(rest int) bool { return atLeast(bad, bad+rest, sample, population) > tail })
	past := search(left, func(rest int) bool { return atMost(bad, bad+rest, sample, population) <= tail })
	return min(first, left), max(past-1, 0)
}

// search returns the first of 0 … n that fulfils a condition which all after it
// fulfil too, and n+1 if none does.
func search(n int, fulfils func(int) bool) int {
	low, high := 0, n+1
	for low < high {
		middle := (low + high) / 2
		if fulfils(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

func atLeast(k, bad, sample, population int) float64 {
	var sum float64
	for i := k; i <= min(bad, sample); i++ {
		sum += hypergeometric(i, bad, sample, population)
	}
	return sum
}

func atMost(k, bad, sample, population int) float64 {
	var sum float64
	for i := max(0, sample-(population-bad)); i <= k; i++ {
		sum += hypergeometric(i, bad, sample, population)
	}
	return sum
}

// hypergeometric is the chance of k bad ones in a sample.
func hypergeometric(k, bad, sample, population int) float64 {
	return math.Exp(logChoose(bad, k) + logChoose(population-bad, sample-k) - logChoose(population, sample))
}

func logChoose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
