package contract

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"remuda/internal/postgrestest"
	"remuda/internal/servertest"
)

// BenchmarkCreates has the labeling API's client create 10,000 tasks
// (REMUDA_BENCH_TASKS for another number), and reports the server's share of a
// create as the server itself measures it.
func BenchmarkCreates(b *testing.B) {
	python, p := environment(b, "scale"), servertest.Build(b)
	b.Run("sqlite", func(b *testing.B) { benchCreates(b, python, p) })
	b.Run("postgres", func(b *testing.B) { benchCreates(b, python, p, "--database", postgrestest.New(b)) })
}

func benchCreates(b *testing.B, python string, p servertest.Program, place ...string) {
	count := "10000"
	if text := os.Getenv("REMUDA_BENCH_TASKS"); text != "" {
		count = text
	}
	dir := b.TempDir()
	s := serveScale(b, p, append([]string{"--data", filepath.Join(dir, "data")}, place...)...)
	defer s.Stop(b)
	cmd := exec.CommandContext(b.Context(), python, "-B", "create.py", count, filepath.Join(dir, "image.png"))
	cmd.Dir, cmd.Env = filepath.Join("testdata", "scale"), append(os.Environ(), s.env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, said)
	}
	if whole, err := strconv.ParseFloat(strings.TrimSpace(string(said)), 64); err == nil {
		b.ReportMetric(1000*whole, "ms/create")
	}
	b.ReportMetric(1000*quantile(s.metrics(b), "/v1/task/{type}", 0.95), "server-p95-ms")
}

// quantile reads one from the histogram of a route's seconds, drawn straight within a bucket.
func quantile(metrics, route string, q float64) float64 {
	var below, counted float64
	most := math.NaN()
	var bounds, counts []float64
	prefix := fmt.Sprintf("remuda_http_request_seconds_bucket{route=%q,le=", route)
	for lines := bufio.NewScanner(strings.NewReader(metrics)); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), prefix)
		if !ok {
			continue
		}
		bound, count, _ := strings.Cut(strings.TrimPrefix(rest, `"`), `"} `)
		le, err := strconv.ParseFloat(bound, 64)
		n, other := strconv.ParseFloat(count, 64)
		if err != nil || other != nil {
			continue
		}
		bounds, counts = append(bounds, le), append(counts, n)
		most = n
	}
	for i, n := range counts {
		if n >= q*most {
			return below + (bounds[i]-below)*(q*most-counted)/(n-counted)
		}
		below, counted = bounds[i], n
	}
	return math.NaN()
}
