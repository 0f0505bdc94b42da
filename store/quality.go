package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"remuda"
	"remuda/label"
)

// QualityTask is a quality task as the rules of the work see it, and what else
// its instances need.
type QualityTask struct {
	label.QualityTask
	World     remuda.World
	ProjectID string
	Type      string // of its instances
	Image     TaskImage
	Params    json.RawMessage // an object: what its instances ask

	ProjectVersion int // that it inherited from; -1 if from none
	Instruction    int // version of the project's that holds for it; 0 where it has its own
	CreatedAt      time.Time
	CreatedBy      string
}

const qualityColumns = `id, world, project, (SELECT p.name FROM project p WHERE p.id = quality_task.project), type, retired,
	item, attachment, blob, format, width, height, params, project_version, instruction, taxonomy, quality, created_at, created_by`

func scanQualityTask(row rowScanner) (q QualityTask, err error) {
	var id, project, params, quality string
	var retired bool
	var taxonomy int
	var created int64
	err = row.Scan(&id, &q.World, &q.ProjectID, &project, &q.Type, &retired, &q.Image.Item, &q.Image.Attachment, &q.Image.Blob, &q.Image.Format,
		&q.Image.Width, &q.Image.Height, &params, &q.ProjectVersion, &q.Instruction, &taxonomy, &quality, &created, &q.CreatedBy)
	if err != nil {
		return q, err
	}
	err = json.Unmarshal([]byte(quality), &q.QualityTask)
	q.ID, q.Project, q.Retired, q.Taxonomy, q.Params, q.CreatedAt = id, project, retired, taxonomy, json.RawMessage(params), fromMillis(created)
	return q, err
}

// AddQualityTask adds a quality task with a new id to the caller's world.
func (tx *Tx) AddQualityTask(q QualityTask) (QualityTask, error) {
	q.ID, q.World, q.CreatedAt, q.CreatedBy = tx.NewID("qt"), tx.Caller.World, tx.Now, tx.Caller.Author()
	quality, err := jsonText(q.QualityTask)
	if err != nil {
		return q, err
	}
	_, err = tx.exec(`INSERT INTO quality_task (id, world, project, type, kind, stage, retired, item, attachment, blob, format, width, height,
		params, project_version, instruction, taxonomy, quality, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		q.ID, q.World, q.ProjectID, q.Type, q.Kind, q.Stage(), q.Retired, q.Image.Item, q.Image.Attachment, q.Image.Blob, q.Image.Format, q.Image.Width, q.Image.Height,
		string(orObject(q.Params)), q.ProjectVersion, q.Instruction, q.Taxonomy, quality, millis(q.CreatedAt), q.CreatedBy)
	return q, err
}

// QualityTask returns a quality task of the caller's world.
func (tx *Tx) QualityTask(id string) (QualityTask, error) {
	return one(tx, "quality task "+id, scanQualityTask, "SELECT "+qualityColumns+" FROM quality_task WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// QualityTasks returns all quality tasks of a project (an id), retired ones too, oldest first.
func (tx *Tx) QualityTasks(project string) ([]QualityTask, error) {
	return all(tx, scanQualityTask, "SELECT "+qualityColumns+" FROM quality_task WHERE project = $1 AND world = $2 ORDER BY id", project, tx.Caller.World)
}

// UpdateQualityTask writes what can change of a quality task: its image until
// it is here, what it tests, and whether it is retired.
func (tx *Tx) UpdateQualityTask(q QualityTask) error {
	quality, err := jsonText(q.QualityTask)
	if err != nil {
		return err
	}
	_, err = tx.exec("UPDATE quality_task SET retired = $2, blob = $3, format = $4, width = $5, height = $6, quality = $7 WHERE id = $1",
		q.ID, q.Retired, q.Image.Blob, q.Image.Format, q.Image.Width, q.Image.Height, quality)
	return err
}

// QualityInUse returns how many quality tasks of a project are given to people.
func (tx *Tx) QualityInUse(project string) (int, error) {
	return one(tx, "project "+project, scalar[int], "SELECT COUNT(*) FROM quality_task WHERE project = $1 AND NOT retired", project)
}

// Course returns the quality tasks of a project that are in use, as far as the
// choice of what is next needs them (their answers are left out), and what one
// person has had of them.
func (tx *Tx) Course(project Project, person string) (label.Course, error) {
	c := label.Course{Given: make(map[string]int), Rate: project.Settings.Rate, Seed: project.Settings.Seed}
	var err error
	c.Quality, err = all(tx, func(row rowScanner) (q label.QualityTask, err error) {
		var stage label.Stage
		err = row.Scan(&q.ID, &q.Kind, &stage)
		if q.Project = project.Name; stage == label.Reviewing {
			q.Initial = &label.Answer{}
		}
		return q, err
	}, "SELECT id, kind, stage FROM quality_task WHERE project = $1 AND NOT retired AND blob <> '' ORDER BY id", project.ID)
	if err != nil || len(c.Quality) == 0 {
		return c, err
	}
	turns, err := all(tx, scalar[int], "SELECT turns FROM enrollment WHERE project = $1 AND person = $2", project.ID, person)
	if err != nil {
		return c, err
	}
	if len(turns) > 0 {
		c.Turns = turns[0]
	}
	type given struct {
		quality string
		times   int
	}
	scan := func(row rowScanner) (g given, err error) { return g, row.Scan(&g.quality, &g.times) }
	return c, each(tx, scan, func(g given) error { c.Given[g.quality] = g.times; return nil },
		"SELECT quality, COUNT(*) FROM quality_turn WHERE project = $1 AND person = $2 GROUP BY quality", project.ID, person)
}

// CountTurn notes that a person was given one more task in a project (an id).
func (tx *Tx) CountTurn(project, person string) error {
	_, err := tx.exec(`INSERT INTO enrollment (project, person, paused, since, paused_by, why, turns) VALUES ($1, $2, FALSE, 0, '', '', 1)
		ON CONFLICT (project, person) DO UPDATE SET turns = enrollment.turns + 1`, project, person)
	return err
}

// QualityTurn is a quality task that a person was given.
type QualityTurn struct {
	Task    string // the instance
	Quality string
	Person  string
	GivenAt time.Time
	label.Graded
	Done bool // it is handed in and graded
}

// AddQualityTurn notes that a task is a person's instance of a quality task.
func (tx *Tx) AddQualityTurn(task, person string, q QualityTask) error {
	_, err := tx.exec("INSERT INTO quality_turn (task, quality, project, person, kind, given_at, correct, total) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
		task, q.ID, q.ProjectID, person, q.Kind, millis(tx.Now))
	return err
}

// Grade notes how a person did on an instance.
func (tx *Tx) Grade(task string, g label.Graded) error {
	_, err := tx.exec("UPDATE quality_turn SET graded_at = $2, correct = $3, total = $4 WHERE task = $1", task, millis(g.At), g.Correct, g.Of)
	return err
}

// QualityTurns returns what a project's (an id) people were given, or one of
// them unless person is "", by person and time.
func (tx *Tx) QualityTurns(project, person string) ([]QualityTurn, error) {
	scan := func(row rowScanner) (t QualityTurn, err error) {
		var given int64
		var graded sql.NullInt64
		err = row.Scan(&t.Task, &t.Quality, &t.Person, &t.Kind, &given, &graded, &t.Correct, &t.Of)
		if t.GivenAt, t.Done = fromMillis(given), graded.Valid; t.Done {
			t.At = fromMillis(graded.Int64)
		}
		return t, err
	}
	return all(tx, scan, `SELECT task, quality, person, kind, given_at, graded_at, correct, total FROM quality_turn
		WHERE project = $1 AND (person = $2 OR $3 = '') ORDER BY person, given_at, task`, project, person, person)
}

const enrollmentColumns = "(SELECT p.name FROM project p WHERE p.id = enrollment.project), person, paused, since, paused_by, why"

func scanEnrollment(row rowScanner) (e label.Enrollment, err error) {
	var since int64
	err = row.Scan(&e.Project, &e.Person, &e.Paused, &since, &e.By, &e.Why)
	if since != 0 {
		e.Since = fromMillis(since)
	}
	return e, err
}

// LockEnrollment returns a person's enrollment in a project, and keeps others
// from changing it until this transaction ends.
func (tx *Tx) LockEnrollment(project Project, person string) (label.Enrollment, error) {
	return one(tx, "enrollment", scanEnrollment, `INSERT INTO enrollment (project, person, paused, since, paused_by, why, turns) VALUES ($1, $2, FALSE, 0, '', '', 0)
		ON CONFLICT (project, person) DO UPDATE SET turns = enrollment.turns RETURNING `+enrollmentColumns, project.ID, person)
}

// SetEnrollment writes a person's enrollment in a project; the caller has locked it.
func (tx *Tx) SetEnrollment(project Project, e label.Enrollment) error {
	var since int64
	if !e.Since.IsZero() {
		since = millis(e.Since)
	}
	_, err := tx.exec("UPDATE enrollment SET paused = $3, since = $4, paused_by = $5, why = $6 WHERE project = $1 AND person = $2",
		project.ID, e.Person, e.Paused, since, e.By, e.Why)
	return err
}

// Enrollments returns those of a project (an id), or of a person in the
// caller's world, of all where one of the two is "".
func (tx *Tx) Enrollments(project, person string) ([]label.Enrollment, error) {
	return all(tx, scanEnrollment, "SELECT "+enrollmentColumns+` FROM enrollment WHERE (project = $1 OR $2 = '') AND (person = $3 OR $4 = '')
		AND project IN (SELECT id FROM project WHERE world = $5) ORDER BY project, person`, project, project, person, person, tx.Caller.World)
}

// PausedIn returns the names of the caller's world's projects in which a person is paused.
func (tx *Tx) PausedIn(person string) ([]string, error) {
	return all(tx, scalar[string], `SELECT p.name FROM enrollment e JOIN project p ON p.id = e.project
		WHERE e.person = $1 AND e.paused AND p.world = $2 ORDER BY p.name`, person, tx.Caller.World)
}

// SetChanges notes what people made of the starting boxes of a task in a round.
func (tx *Tx) SetChanges(task string, round int, changes []label.Change) error {
	if _, err := tx.exec("DELETE FROM hypothesis_change WHERE task = $1 AND round = $2", task, round); err != nil {
		return err
	}
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{task, round, c.Box, c.Kind, c.IoU, c.Category}
	}
	return tx.insert("hypothesis_change", "task, round, box, change, iou, category", "ON CONFLICT (task, round, box) DO NOTHING", rows)
}

// ChangeCount is how many starting boxes of a batch's tasks came to one end, or
// boxes were added to them.
type ChangeCount struct {
	Change   label.ChangeKind
	Category bool // they are called otherwise
	Boxes    int
	IoU      float64 // mean, with the starting box
}

// ChangeCounts returns what became of the starting boxes of a batch's tasks in
// their present rounds.
func (tx *Tx) ChangeCounts(batch string) ([]ChangeCount, error) {
	scan := func(row rowScanner) (c ChangeCount, err error) {
		return c, row.Scan(&c.Change, &c.Category, &c.Boxes, &c.IoU)
	}
	return all(tx, scan, `SELECT h.change, h.category, COUNT(*), AVG(h.iou) FROM hypothesis_change h JOIN task t ON t.id = h.task
		WHERE t.batch = $1 AND t.status = 'completed' AND h.round = (SELECT MAX(o.round) FROM hypothesis_change o WHERE o.task = h.task)
		GROUP BY h.change, h.category ORDER BY h.change, h.category`, batch)
}
