package wire

// Login asks for a session.
type Login struct {
	Login    string `json:"login" doc:"A user's login."`
	Password string `json:"password"`
}

// Me is who the server takes the caller for.
type Me struct {
	User  string `json:"user,omitempty" doc:"The user's id; absent for a key of no user."`
	Key   string `json:"key,omitempty" doc:"The API key's id; absent in a session."`
	Name  string `json:"name"`
	Role  string `json:"role" enum:"admin,manager,reviewer,labeler"`
	World string `json:"world" enum:"live,test" doc:"Whose things the caller sees."`
}

// NewPassword changes the caller's own password.
type NewPassword struct {
	Old string `json:"old"`
	New string `json:"new"`
}
