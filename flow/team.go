package flow

import (
	"context"
	"slices"
	"strings"

	"remuda"
	"remuda/store"
)

// findUser finds a user by login, else by id.
func findUser(tx *store.Tx, ref string) (store.User, error) {
	u, err := tx.UserByLogin(strings.ToLower(strings.TrimSpace(ref)))
	if remuda.CodeOf(err) != remuda.NotFound {
		return u, err
	}
	if byID, other := tx.User(ref); other == nil {
		return byID, nil
	}
	return u, err
}

// findUsers finds users by login or id; invalid, with all that are none.
func findUsers(tx *store.Tx, refs []string) (ids []string, err error) {
	var unknown []string
	for _, ref := range refs {
		u, err := findUser(tx, ref)
		switch {
		case remuda.CodeOf(err) == remuda.NotFound:
			unknown = append(unknown, ref)
		case err != nil:
			return nil, err
		default:
			ids = append(ids, u.ID)
		}
	}
	if len(unknown) > 0 {
		return nil, remuda.Errorf(remuda.Invalid, "there are no users %s", strings.Join(unknown, ", ")).WithHint("invite them first")
	}
	return ids, nil
}

// Team returns all users who may log in, oldest first; managers only.
func (f *Flow) Team(ctx context.Context, caller remuda.Caller) (found []store.User, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		all, err := tx.Users()
		found = slices.DeleteFunc(all, func(u store.User) bool { return u.DisabledAt != nil })
		return err
	})
	return found, err
}

// mayGive refuses a role that the caller may not give: a manager makes labelers
// and reviewers, an admin everyone but admins here.
func mayGive(caller remuda.Caller, role remuda.Role) error {
	if role == remuda.Manager {
		return caller.Need(remuda.Admin)
	}
	if role != remuda.Labeler && role != remuda.Reviewer {
		return remuda.Errorf(remuda.Invalid, "nobody is made %s in this way", role).WithHint("the roles are labeler, member and manager")
	}
	return caller.Need(remuda.Manager)
}

// InviteTeam makes users of e-mail addresses, or other logins, that have none;
// those that do stay as they are. Nobody can log in as them before an admin has
// given them a password. Managers only.
func (f *Flow) InviteTeam(ctx context.Context, caller remuda.Caller, logins []string, role remuda.Role) error {
	if err := mayGive(caller, role); err != nil {
		return err
	}
	for i := range logins {
		var err error
		if logins[i], err = checkLogin(logins[i]); err != nil {
			return err
		}
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		for _, login := range logins {
			_, err := tx.UserByLogin(login)
			if err == nil {
				continue
			}
			if remuda.CodeOf(err) != remuda.NotFound {
				return err
			}
			u, err := tx.CreateUser(store.User{Login: login, Name: login, Role: role})
			if err != nil {
				return err
			}
			if err := tx.Audit("user.create", u.ID, u.Login+" as "+string(role)); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetTeamRole gives users another role; managers only. Admins stay admins, and a
// reviewer who is to be a labeler stays a reviewer: the labeling API's labelers
// review too.
func (f *Flow) SetTeamRole(ctx context.Context, caller remuda.Caller, logins []string, role remuda.Role) error {
	if err := mayGive(caller, role); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		ids, err := findUsers(tx, logins)
		if err != nil {
			return err
		}
		if err := tx.LockUsers(); err != nil {
			return err
		}
		for _, id := range ids {
			u, err := tx.User(id)
			if err != nil {
				return err
			}
			was := u.Role
			switch {
			case was == remuda.Admin:
				return remuda.Errorf(remuda.Unauthorized, "%s is an admin and stays one here", u.Login).WithHint("an admin changes that with `remuda user`")
			case was == remuda.Manager && !caller.Role.AtLeast(remuda.Admin):
				return caller.Need(remuda.Admin)
			case was == role || was == remuda.Reviewer && role == remuda.Labeler:
				continue
			}
			u.Role = role
			if err := tx.UpdateUser(u); err != nil {
				return err
			}
			if err := tx.Audit("user.role", u.ID, string(was)+" to "+string(role)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Assignments returns who works in which project of the caller's world; managers only.
func (f *Flow) Assignments(ctx context.Context, caller remuda.Caller) (found []store.Assignment, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		found, err = tx.Assignments("", "")
		return err
	})
	return found, err
}

// Assign lets users, by login, work in projects, or with end no longer;
// managers only.
func (f *Flow) Assign(ctx context.Context, caller remuda.Caller, logins, projects []string, end bool) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		users, err := findUsers(tx, logins)
		if err != nil {
			return err
		}
		for _, ref := range projects {
			p, err := findProject(tx, ref)
			if err != nil {
				return err
			}
			if end {
				err = tx.Unassign(p.ID, users)
			} else {
				err = tx.Assign(p.ID, users)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Groups returns the groups of a project, by name; managers only.
func (f *Flow) Groups(ctx context.Context, caller remuda.Caller, project string) (found []store.Group, err error) {
	err = f.readProject(ctx, caller, remuda.Manager, project, func(tx *store.Tx, p store.Project) error {
		found, err = tx.Groups(p.ID)
		return err
	})
	return found, err
}

// CreateGroup makes a group of people, by login, who are assigned to its
// project; managers only.
func (f *Flow) CreateGroup(ctx context.Context, caller remuda.Caller, project, name string, logins []string) (store.Group, error) {
	return f.changeGroup(ctx, caller, project, func(tx *store.Tx, p store.Project) (string, error) {
		name, err := checkIdentifier("group", name)
		if err != nil {
			return "", err
		}
		g, err := tx.CreateGroup(store.Group{Project: p.ID, Name: name})
		if err != nil {
			return "", err
		}
		return g.ID, addMembers(tx, p, g.ID, logins, nil)
	})
}

// ChangeGroup adds people to a group and takes others out, by login; managers only.
func (f *Flow) ChangeGroup(ctx context.Context, caller remuda.Caller, project, name string, add, remove []string) (store.Group, error) {
	return f.changeGroup(ctx, caller, project, func(tx *store.Tx, p store.Project) (string, error) {
		known, err := tx.Groups(p.ID)
		if err != nil {
			return "", err
		}
		at := slices.IndexFunc(known, func(g store.Group) bool { return g.Name == name || g.ID == name })
		if at < 0 {
			return "", remuda.Errorf(remuda.NotFound, "there is no group %s", name)
		}
		return known[at].ID, addMembers(tx, p, known[at].ID, add, remove)
	})
}

func addMembers(tx *store.Tx, p store.Project, group string, add, remove []string) error {
	added, err := findUsers(tx, add)
	if err != nil {
		return err
	}
	removed, err := findUsers(tx, remove)
	if err != nil {
		return err
	}
	assigned, err := tx.Assignments(p.ID, "")
	if err != nil {
		return err
	}
	for i, id := range added {
		if !slices.ContainsFunc(assigned, func(a store.Assignment) bool { return a.User == id }) {
			return remuda.Errorf(remuda.Invalid, "%s does not work in project %q", add[i], p.Name).WithHint("assign them to it first")
		}
	}
	return tx.SetMembers(group, added, removed)
}

func (f *Flow) changeGroup(ctx context.Context, caller remuda.Caller, project string, change func(*store.Tx, store.Project) (id string, err error)) (g store.Group, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return g, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		p, err := lockProject(tx, project)
		if err != nil {
			return err
		}
		id, err := change(tx, p)
		if err != nil {
			return err
		}
		groups, err := tx.Groups(p.ID)
		if err != nil {
			return err
		}
		g = groups[slices.IndexFunc(groups, func(g store.Group) bool { return g.ID == id })]
		return nil
	})
	return g, err
}
