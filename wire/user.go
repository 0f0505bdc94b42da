package wire

// User is a person.
type User struct {
	ID         string `json:"id"`
	Login      string `json:"login"`
	Name       string `json:"name" doc:"As others read it."`
	Role       string `json:"role" enum:"admin,manager,reviewer,labeler"`
	CreatedAt  Time   `json:"created_at" format:"date-time"`
	SeenAt     Time   `json:"seen_at,omitempty" format:"date-time" doc:"Of the last login."`
	DisabledAt Time   `json:"disabled_at,omitempty" format:"date-time" doc:"Such a user is let in no more."`
}

// Users lists users, oldest first.
type Users struct {
	Users []User `json:"users"`
}

// NewUser is what a user is made from.
type NewUser struct {
	Login    string `json:"login" doc:"A name or an e-mail address."`
	Name     string `json:"name,omitempty" doc:"The login if it is left out."`
	Role     string `json:"role" enum:"admin,manager,reviewer,labeler"`
	Password string `json:"password,omitempty" doc:"A random one if it is left out."`
}

// MadeUser is a new user and their password, which is shown this once.
type MadeUser struct {
	User     User   `json:"user"`
	Password string `json:"password"`
}

// UserChange changes a user; what is left out stays.
type UserChange struct {
	Role     string `json:"role,omitempty" enum:"admin,manager,reviewer,labeler"`
	Disabled *bool  `json:"disabled,omitempty"`
}

// SetPassword gives a user a password.
type SetPassword struct {
	Password string `json:"password,omitempty" doc:"A random one if it is left out."`
}

// Password is a user's new password, which is shown this once.
type Password struct {
	Password string `json:"password"`
}
