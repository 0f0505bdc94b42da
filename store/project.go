package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"remuda"
	"remuda/label"
)

// Project is what tasks of one kind have in common. Its name never changes.
type Project struct {
	ID         string
	World      remuda.World
	Name       string
	Type       string // of its tasks, such as imageannotation; "" for any
	Rapid      bool   // as the user said; they change nothing
	Studio     bool
	Dataset    string // whose annotations accepted results become; "" if none
	Settings   ProjectSettings
	CreatedAt  time.Time
	CreatedBy  string
	ArchivedAt *time.Time
}

// ProjectSettings are how a project's people work.
type ProjectSettings struct {
	Plan   label.Plan    `json:"plan"`           // of batches that say nothing else
	Rate   float64       `json:"rate,omitempty"` // share of turns that are evaluation tasks, 0 to 1
	Seed   uint64        `json:"seed,omitempty"` // of the draw of quality tasks, a secret
	Bar    label.Bar     `json:"bar,omitzero"`   // the accuracy that is asked of people
	Prices label.Prices  `json:"prices,omitzero"`
	Idle   time.Duration `json:"idle,omitempty"`  // how long a person may look without moving and still be at work; label.DefaultIdle if 0
	Score  float64       `json:"score,omitempty"` // of calibration, below which to warn; label's default if 0
}

const projectColumns = "id, world, name, type, rapid, studio, dataset, settings, created_at, created_by, archived_at"

func scanProject(row rowScanner) (p Project, err error) {
	var settings string
	var created int64
	var archived sql.NullInt64
	err = row.Scan(&p.ID, &p.World, &p.Name, &p.Type, &p.Rapid, &p.Studio, &p.Dataset, &settings, &created, &p.CreatedBy, &archived)
	if err != nil {
		return p, err
	}
	p.CreatedAt, p.ArchivedAt = fromMillis(created), timeOf(archived)
	return p, json.Unmarshal([]byte(settings), &p.Settings)
}

// CreateProject adds a project with a new id in the caller's world, and its
// nameless batch; conflict if the name is taken.
func (tx *Tx) CreateProject(p Project) (Project, error) {
	p.ID, p.World, p.CreatedAt, p.CreatedBy = tx.NewID("prj"), tx.Caller.World, tx.Now, tx.Caller.Author()
	settings, err := jsonText(p.Settings)
	if err != nil {
		return p, err
	}
	n, err := tx.exec(`INSERT INTO project (id, world, name, type, rapid, studio, dataset, settings, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (world, name) DO NOTHING`,
		p.ID, p.World, p.Name, p.Type, p.Rapid, p.Studio, p.Dataset, settings, millis(p.CreatedAt), p.CreatedBy)
	if err != nil {
		return p, err
	}
	if n == 0 {
		return p, remuda.Errorf(remuda.Conflict, "there is a project %q already", p.Name).WithHint("choose another name")
	}
	_, err = tx.CreateBatch(Batch{ProjectID: p.ID, Batch: label.Batch{Project: p.Name, Kind: label.Production, Status: label.InProgress, Plan: p.Settings.Plan}})
	return p, err
}

// jsonText is a value as tables keep it.
func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", remuda.Errorf(remuda.Internal, "write a value as JSON: %w", err)
	}
	return string(text), nil
}

// Project returns a project of the caller's world by id.
func (tx *Tx) Project(id string) (Project, error) {
	return one(tx, "project "+id, scanProject, "SELECT "+projectColumns+" FROM project WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// ProjectByName returns a project of the caller's world by name.
func (tx *Tx) ProjectByName(name string) (Project, error) {
	return one(tx, "project "+name, scanProject, "SELECT "+projectColumns+" FROM project WHERE name = $1 AND world = $2", name, tx.Caller.World)
}

// LockProject is Project, and keeps others from changing it until this
// transaction ends.
func (tx *Tx) LockProject(id string) (Project, error) {
	return one(tx, "project "+id, scanProject, "UPDATE project SET name = name WHERE id = $1 AND world = $2 RETURNING "+projectColumns, id, tx.Caller.World)
}

// Projects returns those of the caller's world, oldest first.
func (tx *Tx) Projects() ([]Project, error) {
	return all(tx, scanProject, "SELECT "+projectColumns+" FROM project WHERE world = $1 ORDER BY id", tx.Caller.World)
}

// UpdateProject writes a project's dataset, settings and whether it is archived.
func (tx *Tx) UpdateProject(p Project) error {
	settings, err := jsonText(p.Settings)
	if err != nil {
		return err
	}
	_, err = tx.exec("UPDATE project SET dataset = $2, settings = $3, archived_at = $4 WHERE id = $1", p.ID, p.Dataset, settings, nullTime(p.ArchivedAt))
	return err
}

// ProjectVersion is what a project's tasks inherit, at one time.
type ProjectVersion struct {
	Project     string
	Version     int             // from 0
	Params      json.RawMessage // an object, as the user sent it
	Examples    []label.Example // of the instruction
	Instruction int             // version of the instruction, from 1
	Taxonomy    int             // version of the taxonomy, from 1
	CreatedAt   time.Time
	CreatedBy   string
}

const projectVersionColumns = "project, version, params, examples, instruction, taxonomy, created_at, created_by"

func scanProjectVersion(row rowScanner) (v ProjectVersion, err error) {
	var params, examples string
	var created int64
	err = row.Scan(&v.Project, &v.Version, &params, &examples, &v.Instruction, &v.Taxonomy, &created, &v.CreatedBy)
	if err != nil {
		return v, err
	}
	v.Params, v.CreatedAt = json.RawMessage(params), fromMillis(created)
	return v, json.Unmarshal([]byte(examples), &v.Examples)
}

// AddProjectVersion adds a version, whose number is the caller's to choose; who
// does has locked the project.
func (tx *Tx) AddProjectVersion(v ProjectVersion) (ProjectVersion, error) {
	v.CreatedAt, v.CreatedBy = tx.Now, tx.Caller.Author()
	if v.Examples == nil {
		v.Examples = []label.Example{}
	}
	examples, err := jsonText(v.Examples)
	if err != nil {
		return v, err
	}
	_, err = tx.exec("INSERT INTO project_version ("+projectVersionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		v.Project, v.Version, string(v.Params), examples, v.Instruction, v.Taxonomy, millis(v.CreatedAt), v.CreatedBy)
	return v, err
}

// ProjectVersions returns all versions of a project, oldest first.
func (tx *Tx) ProjectVersions(project string) ([]ProjectVersion, error) {
	return all(tx, scanProjectVersion, "SELECT "+projectVersionColumns+" FROM project_version WHERE project = $1 ORDER BY version", project)
}

// ProjectVersion returns a version of a project, the last one if the number is below 0.
func (tx *Tx) ProjectVersion(project string, version int) (ProjectVersion, error) {
	if version < 0 {
		return one(tx, "version of project "+project, scanProjectVersion, "SELECT "+projectVersionColumns+" FROM project_version WHERE project = $1 ORDER BY version DESC LIMIT 1", project)
	}
	return one(tx, "such version of project "+project, scanProjectVersion, "SELECT "+projectVersionColumns+" FROM project_version WHERE project = $1 AND version = $2", project, version)
}
