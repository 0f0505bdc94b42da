package wire

// Callback is something that an address that the user gave is told.
type Callback struct {
	ID        string `json:"id"`
	Batch     string `json:"batch" doc:"Id."`
	Task      string `json:"task,omitempty" doc:"Id; absent where the batch is what is told of."`
	Event     string `json:"event"`
	URL       string `json:"url"`
	Status    string `json:"status" enum:"waiting,done,failed"`
	Attempts  int    `json:"attempts"`
	NextAt    Time   `json:"next_at,omitempty" format:"date-time" doc:"Of the next attempt; absent when there will be none."`
	Answer    string `json:"answer,omitempty" doc:"To the last attempt: a status, or why there was none."`
	CreatedAt Time   `json:"created_at" format:"date-time"`
	UpdatedAt Time   `json:"updated_at" format:"date-time"`
}

// Callbacks is a page of callbacks, newest first.
type Callbacks struct {
	Callbacks []Callback `json:"callbacks"`
	Next      string     `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}

// CallbackSettings is how receivers of callbacks are found, and how they
// recognise this server.
type CallbackSettings struct {
	URL string `json:"url" doc:"Told of tasks that name no address; empty for none."`
	Key string `json:"key" doc:"Sent in the header scale-callback-auth. It stays the same."`
}

// CallbackURL says who is told of tasks that name no address.
type CallbackURL struct {
	URL string `json:"url" doc:"Empty for nobody."`
}
