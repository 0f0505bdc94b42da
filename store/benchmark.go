package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"remuda"
)

// BenchmarkStatus says how far a benchmark is: as far as its job.
type BenchmarkStatus string

// The states of a benchmark.
const (
	BenchmarkBuilding BenchmarkStatus = "building"
	BenchmarkReady    BenchmarkStatus = "ready"
	BenchmarkFailed   BenchmarkStatus = "failed"
)

// Benchmark is a fixed set of items, of any datasets, with the ground truth
// that they had when it was made.
type Benchmark struct {
	ID           string
	World        remuda.World
	Name         string
	Description  string
	Metadata     json.RawMessage // an object
	Status       BenchmarkStatus
	Problem      string          // why it failed, a sentence
	Job          string          // that builds it
	Rule         json.RawMessage // which labels match, as package flow writes it
	Skipped      int64           // items left out for want of ground truth
	Truth        string          // SHA-256 of its boxes, hex; "" until it is ready
	Parent       string          // the benchmark that this is a version of; "" if none
	VersionMajor int64
	VersionMinor int64
	VersionLabel string
	CreatedAt    time.Time
	CreatedBy    string

	Items    int64 // counted
	Datasets int64
}

const benchmarkColumns = "id, world, name, description, metadata, job, rule, skipped, truth, parent, version_major, version_minor, version_label, created_at, created_by"

const selectBenchmark = "SELECT " + benchmarkColumns + `, (SELECT COUNT(*) FROM benchmark_item i WHERE i.benchmark = benchmark.id),
	(SELECT COUNT(DISTINCT i.dataset) FROM benchmark_item i WHERE i.benchmark = benchmark.id),
	COALESCE((SELECT status FROM job WHERE job.id = benchmark.job), ''), COALESCE((SELECT problem FROM job WHERE job.id = benchmark.job), '') FROM benchmark`

func scanBenchmark(row rowScanner) (b Benchmark, err error) {
	var metadata, rule string
	var truth sql.NullString
	var created int64
	var job JobStatus
	err = row.Scan(&b.ID, &b.World, &b.Name, &b.Description, &metadata, &b.Job, &rule, &b.Skipped, &truth, &b.Parent,
		&b.VersionMajor, &b.VersionMinor, &b.VersionLabel, &created, &b.CreatedBy, &b.Items, &b.Datasets, &job, &b.Problem)
	switch {
	case truth.Valid:
		b.Status, b.Problem = BenchmarkReady, ""
	case job.Ended():
		b.Status = BenchmarkFailed
	default:
		b.Status = BenchmarkBuilding
	}
	b.Metadata, b.Rule, b.Truth, b.CreatedAt = json.RawMessage(metadata), json.RawMessage(rule), truth.String, fromMillis(created)
	return b, err
}

// CreateBenchmark adds a benchmark that is being built, with a new id in the caller's world, and returns it whole.
func (tx *Tx) CreateBenchmark(b Benchmark) (Benchmark, error) {
	b.ID, b.World, b.Status, b.CreatedAt, b.CreatedBy = tx.NewID("bm"), tx.Caller.World, BenchmarkBuilding, tx.Now, tx.Caller.Author()
	b.Metadata, b.Rule = orObject(b.Metadata), orObject(b.Rule)
	_, err := tx.exec("INSERT INTO benchmark ("+benchmarkColumns+") VALUES ("+placeholders(1, 15)+")",
		b.ID, b.World, b.Name, b.Description, string(b.Metadata), b.Job, string(b.Rule), b.Skipped, nullText(b.Truth), b.Parent,
		b.VersionMajor, b.VersionMinor, b.VersionLabel, millis(b.CreatedAt), b.CreatedBy)
	return b, err
}

// Benchmark returns a benchmark of the caller's world.
func (tx *Tx) Benchmark(id string) (Benchmark, error) {
	return one(tx, "benchmark "+id, scanBenchmark, selectBenchmark+" WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// LockBenchmark is Benchmark for one that is about to change: it keeps others
// from changing it until this transaction ends.
func (tx *Tx) LockBenchmark(id string) (Benchmark, error) {
	if _, err := tx.exec("UPDATE benchmark SET name = name WHERE id = $1 AND world = $2", id, tx.Caller.World); err != nil {
		return Benchmark{}, err
	}
	return tx.Benchmark(id)
}

// Benchmarks returns those of the caller's world, newest first.
func (tx *Tx) Benchmarks() ([]Benchmark, error) {
	return all(tx, scanBenchmark, selectBenchmark+" WHERE world = $1 ORDER BY id DESC", tx.Caller.World)
}

// UpdateBenchmark writes a benchmark's name, description, metadata and job, and what that made.
func (tx *Tx) UpdateBenchmark(b Benchmark) error {
	_, err := tx.exec("UPDATE benchmark SET name = $2, description = $3, metadata = $4, job = $5, skipped = $6, truth = $7 WHERE id = $1",
		b.ID, b.Name, b.Description, string(orObject(b.Metadata)), b.Job, b.Skipped, nullText(b.Truth))
	return err
}

// DeleteBenchmark removes a benchmark of the caller's world; its items stay in
// their datasets, and evaluations on it stay as they are.
func (tx *Tx) DeleteBenchmark(id string) error {
	if _, err := tx.LockBenchmark(id); err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM benchmark_item WHERE benchmark = $1", id); err != nil {
		return err
	}
	_, err := tx.exec("DELETE FROM benchmark WHERE id = $1", id)
	return err
}

// BenchmarkItem is an item of a benchmark.
type BenchmarkItem struct{ Item, Dataset string }

func scanBenchmarkItem(row rowScanner) (i BenchmarkItem, err error) {
	err = row.Scan(&i.Item, &i.Dataset)
	return i, err
}

// SetBenchmarkItems gives a benchmark its items, in order, in place of those that it has.
func (tx *Tx) SetBenchmarkItems(id string, items []BenchmarkItem) error {
	if _, err := tx.exec("DELETE FROM benchmark_item WHERE benchmark = $1", id); err != nil {
		return err
	}
	rows := make([][]any, len(items))
	for i, item := range items {
		rows[i] = []any{id, int64(i), item.Item, item.Dataset}
	}
	return tx.insert("benchmark_item", "benchmark, position, item, dataset", "", rows)
}

// BenchmarkItems returns at most n items of a benchmark (0 never cuts), in order, after the first skip.
func (tx *Tx) BenchmarkItems(id string, skip, n int) ([]BenchmarkItem, error) {
	return all(tx, scanBenchmarkItem, "SELECT item, dataset FROM benchmark_item WHERE benchmark = $1 ORDER BY position LIMIT $2 OFFSET $3", id, limit(n), skip)
}

// notInBenchmark is a conflict if an item belongs to a benchmark: what that keeps must stay.
func (tx *Tx) notInBenchmark(item string) error {
	name, err := one(tx, "benchmark", scalar[string], `SELECT benchmark.name FROM benchmark_item i JOIN benchmark ON benchmark.id = i.benchmark
		WHERE i.item = $1 ORDER BY benchmark.id LIMIT 1`, item)
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return remuda.Errorf(remuda.Conflict, "delete item %s: it is in the benchmark %q", item, name).WithHint("delete that benchmark first, if nothing needs it any more")
}
