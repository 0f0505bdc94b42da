package remuda

import (
	"slices"
	"time"
)

// World separates what test keys make from what live keys make: the two share
// nothing but users.
type World string

// The two worlds.
const (
	Live World = "live"
	Test World = "test"
)

// Role is what a user may do.
type Role string

// The roles, from most to least.
const (
	Admin    Role = "admin"    // everything, users and keys included
	Manager  Role = "manager"  // datasets, slices, runs, models, projects and people's work
	Reviewer Role = "reviewer" // reads data, reviews tasks
	Labeler  Role = "labeler"  // only the task in hand
)

// Roles lists them, from most to least.
func Roles() []Role { return []Role{Admin, Manager, Reviewer, Labeler} }

// ParseRole reads a role's name; anything else is invalid.
func ParseRole(name string) (Role, error) {
	if role := Role(name); slices.Contains(Roles(), role) {
		return role, nil
	}
	return "", Errorf(Invalid, "there is no role %q", name).WithHint("the roles are admin, manager, reviewer and labeler")
}

// AtLeast says whether r may do all that role may.
func (r Role) AtLeast(role Role) bool {
	roles := Roles()
	have := slices.Index(roles, r)
	return have >= 0 && have <= slices.Index(roles, role)
}

// Caller is who asks for something. What a caller makes bears the name Author.
type Caller struct {
	User  string // id of the user; "" for a key of no user
	Key   string // id of the API key; "" for a session
	Name  string // of the user, or of the key
	Role  Role
	World World
}

// Author is what stands beside what the caller makes: the user's id, else the key's.
func (c Caller) Author() string {
	if c.User != "" {
		return c.User
	}
	return c.Key
}

// Need returns an error unless the caller may do what role may.
func (c Caller) Need(role Role) error {
	if c.Role.AtLeast(role) {
		return nil
	}
	return Errorf(Unauthorized, "a %s may not do this", c.Role).WithHint("ask for the role %s", role)
}

// FormatTime writes a time in UTC with exactly three decimals, which every
// client can parse (Python's fromisoformat takes 0, 3 or 6 before 3.11).
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
