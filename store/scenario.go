package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"remuda"
)

// Scenario is a slice with measures that every model should reach on it.
type Scenario struct {
	ID        string
	World     remuda.World
	Name      string
	Slice     string
	CreatedAt time.Time
	CreatedBy string
}

const scenarioColumns = "scenario_test.id, scenario_test.world, scenario_test.name, scenario_test.slice, scenario_test.created_at, scenario_test.created_by"

// livingScenarios are scenario tests of the world that is parameter $1 whose slices are there.
const livingScenarios = "scenario_test JOIN slice ON slice.id = scenario_test.slice AND scenario_test.world = $1 AND" + ofLivingDataset

func scanScenario(row rowScanner) (s Scenario, err error) {
	var created int64
	err = row.Scan(&s.ID, &s.World, &s.Name, &s.Slice, &created, &s.CreatedBy)
	s.CreatedAt = fromMillis(created)
	return s, err
}

// CreateScenario adds a scenario test with a new id in the caller's world and returns it whole.
func (tx *Tx) CreateScenario(s Scenario) (Scenario, error) {
	s.ID, s.World, s.CreatedAt, s.CreatedBy = tx.NewID("sct"), tx.Caller.World, tx.Now, tx.Caller.Author()
	_, err := tx.exec("INSERT INTO scenario_test (id, world, name, slice, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)",
		s.ID, s.World, s.Name, s.Slice, millis(s.CreatedAt), s.CreatedBy)
	return s, err
}

// Scenario returns a scenario test of the caller's world; one whose slice is gone is not_found.
func (tx *Tx) Scenario(id string) (Scenario, error) {
	return one(tx, "scenario test "+id, scanScenario, "SELECT "+scenarioColumns+" FROM "+livingScenarios+" WHERE scenario_test.id = $2", tx.Caller.World, id)
}

// Scenarios returns those of the caller's world, oldest first.
func (tx *Tx) Scenarios() ([]Scenario, error) {
	return all(tx, scanScenario, "SELECT "+scenarioColumns+" FROM "+livingScenarios+" ORDER BY scenario_test.id", tx.Caller.World)
}

// DeleteScenario removes a scenario test with its metrics and what they measured.
func (tx *Tx) DeleteScenario(id string) error {
	if _, err := tx.Scenario(id); err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM scenario_result WHERE scenario_run IN (SELECT id FROM scenario_run WHERE test = $1)",
		"DELETE FROM scenario_run WHERE test = $1", "DELETE FROM scenario_metric WHERE test = $1", "DELETE FROM scenario_test WHERE id = $1",
	} {
		if _, err := tx.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// ScenarioMetric is a measure of a scenario test.
type ScenarioMetric struct {
	Test      string
	Function  string          // one of package eval's box functions
	Arguments json.RawMessage // an object
	Threshold *float64        // the least value that passes; nil if none is set
}

func scanScenarioMetric(row rowScanner) (m ScenarioMetric, err error) {
	var arguments string
	var threshold sql.NullFloat64
	err = row.Scan(&m.Test, &m.Function, &arguments, &threshold)
	m.Arguments, m.Threshold = json.RawMessage(arguments), nullable(threshold)
	return m, err
}

// nullable is a number that may be missing.
func nullable(v sql.NullFloat64) *float64 {
	if !v.Valid {
		return nil
	}
	return &v.Float64
}

// orNullNumber is a number as a table keeps it.
func orNullNumber(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// AddScenarioMetric adds a measure to a scenario test; one of the same function gets its arguments.
func (tx *Tx) AddScenarioMetric(m ScenarioMetric) error {
	_, err := tx.exec(`INSERT INTO scenario_metric (test, function, arguments, threshold, position)
		VALUES ($1, $2, $3, $4, (SELECT COALESCE(MAX(position), 0) + 1 FROM scenario_metric WHERE test = $1))
		ON CONFLICT (test, function) DO UPDATE SET arguments = excluded.arguments`, m.Test, m.Function, string(orObject(m.Arguments)), orNullNumber(m.Threshold))
	return err
}

// SetScenarioThreshold sets the least value of a measure that passes; nil for none. not_found if the test has no such measure.
func (tx *Tx) SetScenarioThreshold(test, function string, threshold *float64) error {
	n, err := tx.exec("UPDATE scenario_metric SET threshold = $3 WHERE test = $1 AND function = $2", test, function, orNullNumber(threshold))
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.NotFound, "scenario test %s does not measure by %s", test, function)
	}
	return err
}

// ScenarioMetrics returns the measures of a scenario test, oldest first.
func (tx *Tx) ScenarioMetrics(test string) ([]ScenarioMetric, error) {
	return all(tx, scanScenarioMetric, "SELECT test, function, arguments, threshold FROM scenario_metric WHERE test = $1 ORDER BY position", test)
}

// ScenarioStatus says how far a measurement is: as far as its job.
type ScenarioStatus string

// The states of a measurement, as the dataset API calls them.
const (
	ScenarioPending   ScenarioStatus = "pending"
	ScenarioStarted   ScenarioStatus = "started"
	ScenarioCompleted ScenarioStatus = "completed"
	ScenarioErrored   ScenarioStatus = "errored"
)

// ScenarioRun is a model measured by a metric of a scenario test.
type ScenarioRun struct {
	ID        string
	Test      string
	Function  string
	Model     string
	Job       string // that measures it
	Status    ScenarioStatus
	Result    *float64 // nil until completed, and where there was nothing to measure
	Passed    bool
	CreatedAt time.Time
	CreatedBy string
}

const scenarioRunColumns = "s.id, s.test, s.function, s.model, s.job, s.measured, s.result, s.passed, s.created_at, s.created_by, COALESCE((SELECT status FROM job WHERE job.id = s.job), '')"

func scanScenarioRun(row rowScanner) (r ScenarioRun, err error) {
	var result sql.NullFloat64
	var created int64
	var job JobStatus
	var measured bool
	err = row.Scan(&r.ID, &r.Test, &r.Function, &r.Model, &r.Job, &measured, &result, &r.Passed, &created, &r.CreatedBy, &job)
	r.Result, r.CreatedAt = nullable(result), fromMillis(created)
	switch {
	case measured:
		r.Status = ScenarioCompleted
	case job == JobWaiting:
		r.Status = ScenarioPending
	case job == JobRunning:
		r.Status = ScenarioStarted
	default:
		r.Status = ScenarioErrored
	}
	return r, err
}

// CreateScenarioRun adds a pending measurement with a new id and returns it.
func (tx *Tx) CreateScenarioRun(r ScenarioRun) (ScenarioRun, error) {
	r.ID, r.Status, r.CreatedAt, r.CreatedBy = tx.NewID("sev"), ScenarioPending, tx.Now, tx.Caller.Author()
	_, err := tx.exec("INSERT INTO scenario_run (id, test, function, model, job, measured, passed, created_at, created_by) VALUES ("+placeholders(1, 9)+")",
		r.ID, r.Test, r.Function, r.Model, r.Job, false, false, millis(r.CreatedAt), r.CreatedBy)
	return r, err
}

// SetScenarioJob notes the job that measures.
func (tx *Tx) SetScenarioJob(run, job string) error {
	_, err := tx.exec("UPDATE scenario_run SET job = $2 WHERE id = $1", run, job)
	return err
}

// ScenarioRun returns a measurement by a scenario test of the caller's world.
func (tx *Tx) ScenarioRun(id string) (ScenarioRun, error) {
	return one(tx, "measurement "+id, scanScenarioRun, "SELECT "+scenarioRunColumns+" FROM "+livingScenarios+" JOIN scenario_run s ON s.test = scenario_test.id WHERE s.id = $2", tx.Caller.World, id)
}

// ScenarioRuns returns what a scenario test has measured, oldest first.
func (tx *Tx) ScenarioRuns(test string) ([]ScenarioRun, error) {
	return all(tx, scanScenarioRun, "SELECT "+scenarioRunColumns+" FROM scenario_run s WHERE s.test = $1 ORDER BY s.id", test)
}

// ScenarioResult is a measurement on one item.
type ScenarioResult struct {
	Item   string
	Result *float64 // nil where there was nothing to measure
	Passed bool
}

// MeasureScenario writes what a measurement gave, on all items together and on each.
func (tx *Tx) MeasureScenario(r ScenarioRun, results []ScenarioResult) error {
	_, err := tx.exec("UPDATE scenario_run SET measured = $2, result = $3, passed = $4 WHERE id = $1", r.ID, true, orNullNumber(r.Result), r.Passed)
	if err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM scenario_result WHERE scenario_run = $1", r.ID); err != nil {
		return err
	}
	rows := make([][]any, len(results))
	for i, result := range results {
		rows[i] = []any{r.ID, int64(i), result.Item, orNullNumber(result.Result), result.Passed}
	}
	return tx.insert("scenario_result", "scenario_run, number, item, result, passed", "", rows)
}

// ScenarioResults returns a measurement item by item.
func (tx *Tx) ScenarioResults(run string) ([]ScenarioResult, error) {
	return all(tx, func(row rowScanner) (r ScenarioResult, err error) {
		var result sql.NullFloat64
		err = row.Scan(&r.Item, &result, &r.Passed)
		r.Result = nullable(result)
		return r, err
	}, "SELECT item, result, passed FROM scenario_result WHERE scenario_run = $1 ORDER BY number", run)
}
