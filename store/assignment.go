package store

import (
	"time"

	"remuda"
)

// Assignment says that a person works in a project.
type Assignment struct {
	User    string // id
	Login   string
	Project string // name
}

func scanAssignment(row rowScanner) (a Assignment, err error) {
	return a, row.Scan(&a.User, &a.Login, &a.Project)
}

// Assign lets people work in a project; those who do already stay.
func (tx *Tx) Assign(project string, users []string) error {
	rows := make([][]any, len(users))
	for i, u := range users {
		rows[i] = []any{project, u, millis(tx.Now), tx.Caller.Author()}
	}
	return tx.insert("assignment", "project, user_id, created_at, created_by", "ON CONFLICT (project, user_id) DO NOTHING", rows)
}

// Unassign ends people's work in a project and takes them out of its groups.
func (tx *Tx) Unassign(project string, users []string) error {
	for _, u := range users {
		if _, err := tx.exec("DELETE FROM assignment WHERE project = $1 AND user_id = $2", project, u); err != nil {
			return err
		}
		_, err := tx.exec("DELETE FROM labeler_member WHERE user_id = $2 AND labeler_group IN (SELECT id FROM labeler_group WHERE project = $1)", project, u)
		if err != nil {
			return err
		}
	}
	return nil
}

// Assignments returns those of the caller's world, of a project (an id) or a
// person unless these are "", by login and name.
func (tx *Tx) Assignments(project, user string) ([]Assignment, error) {
	return all(tx, scanAssignment, `SELECT u.id, u.login, p.name FROM assignment a JOIN users u ON u.id = a.user_id JOIN project p ON p.id = a.project
		WHERE p.world = $1 AND (p.id = $2 OR $3 = '') AND (u.id = $4 OR $5 = '') ORDER BY u.login, p.name`, tx.Caller.World, project, project, user, user)
}

// Group is some of a project's people.
type Group struct {
	ID        string
	Project   string // id
	Name      string
	CreatedAt time.Time
	CreatedBy string
	Members   []Member // by login
}

// Member is a person of a group.
type Member struct{ User, Login string }

// CreateGroup adds a group with a new id; conflict if the project has one of the name.
func (tx *Tx) CreateGroup(g Group) (Group, error) {
	g.ID, g.CreatedAt, g.CreatedBy = tx.NewID("grp"), tx.Now, tx.Caller.Author()
	n, err := tx.exec("INSERT INTO labeler_group (id, project, name, created_at, created_by) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, name) DO NOTHING",
		g.ID, g.Project, g.Name, millis(g.CreatedAt), g.CreatedBy)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.Conflict, "the project has a group %q already", g.Name).WithHint("choose another name, or change that group")
	}
	return g, err
}

// SetMembers adds people to a group and takes others out.
func (tx *Tx) SetMembers(group string, add, remove []string) error {
	rows := make([][]any, len(add))
	for i, u := range add {
		rows[i] = []any{group, u}
	}
	if err := tx.insert("labeler_member", "labeler_group, user_id", "ON CONFLICT (labeler_group, user_id) DO NOTHING", rows); err != nil {
		return err
	}
	for _, u := range remove {
		if _, err := tx.exec("DELETE FROM labeler_member WHERE labeler_group = $1 AND user_id = $2", group, u); err != nil {
			return err
		}
	}
	return nil
}

// Groups returns the groups of a project of the caller's world (an id), or of
// all of them if that is "", by name.
func (tx *Tx) Groups(project string) ([]Group, error) {
	scan := func(row rowScanner) (g Group, err error) {
		var created int64
		err = row.Scan(&g.ID, &g.Project, &g.Name, &created, &g.CreatedBy)
		g.CreatedAt = fromMillis(created)
		return g, err
	}
	groups, err := all(tx, scan, `SELECT g.id, g.project, g.name, g.created_at, g.created_by FROM labeler_group g JOIN project p ON p.id = g.project
		WHERE p.world = $1 AND (p.id = $2 OR $3 = '') ORDER BY g.name, g.id`, tx.Caller.World, project, project)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(groups))
	for i, g := range groups {
		at[g.ID] = i
	}
	type member struct {
		group string
		Member
	}
	scanMember := func(row rowScanner) (m member, err error) { return m, row.Scan(&m.group, &m.User, &m.Login) }
	err = each(tx, scanMember, func(m member) error {
		groups[at[m.group]].Members = append(groups[at[m.group]].Members, m.Member)
		return nil
	}, `SELECT m.labeler_group, u.id, u.login FROM labeler_member m JOIN users u ON u.id = m.user_id JOIN labeler_group g ON g.id = m.labeler_group
		JOIN project p ON p.id = g.project WHERE p.world = $1 AND (p.id = $2 OR $3 = '') ORDER BY u.login`, tx.Caller.World, project, project)
	return groups, err
}

// GroupsOf returns the ids of a person's groups, of either world.
func (tx *Tx) GroupsOf(user string) ([]string, error) {
	return all(tx, scalar[string], "SELECT labeler_group FROM labeler_member WHERE user_id = $1 ORDER BY labeler_group", user)
}
