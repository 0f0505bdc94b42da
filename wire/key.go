package wire

// Key is an API key without its secret.
type Key struct {
	ID        string `json:"id"`
	Prefix    string `json:"prefix" doc:"How the key begins."`
	Name      string `json:"name"`
	User      string `json:"user,omitempty" doc:"Id of the user whose key it is."`
	World     string `json:"world" enum:"live,test"`
	Role      string `json:"role" enum:"admin,manager,reviewer,labeler"`
	CreatedAt Time   `json:"created_at" format:"date-time"`
	CreatedBy string `json:"created_by"`
	UsedAt    Time   `json:"used_at,omitempty" format:"date-time" doc:"To the minute."`
	RevokedAt Time   `json:"revoked_at,omitempty" format:"date-time"`
}

// Keys lists keys, oldest first.
type Keys struct {
	Keys []Key `json:"keys"`
}

// NewKey is what a key is made from.
type NewKey struct {
	Name  string `json:"name" doc:"What it is for."`
	User  string `json:"user,omitempty" doc:"Id of the user whose key it is: it opens no more than they may."`
	World string `json:"world,omitempty" enum:"live,test" default:"live"`
	Role  string `json:"role" enum:"admin,manager,reviewer,labeler"`
}

// MadeKey is a new key with its secret, which is shown this once.
type MadeKey struct {
	Key    Key    `json:"key"`
	Secret string `json:"secret"`
}
