package wire

// Problem is what every request that failed is answered with (RFC 9457), as
// application/problem+json.
type Problem struct {
	Title  string    `json:"title" doc:"The status in words."`
	Status int       `json:"status" doc:"The HTTP status."`
	Detail string    `json:"detail" doc:"What failed and why."`
	Code   string    `json:"code" enum:"invalid,not_found,conflict,unauthorized,unavailable,internal" doc:"What kind of failure it is."`
	Hint   string    `json:"hint,omitempty" doc:"What to do about it."`
	Errors []Mistake `json:"errors,omitempty" doc:"What is wrong with which part of the request."`
}

// Mistake is what is wrong with one part of a request.
type Mistake struct {
	Location string `json:"location,omitempty" doc:"Which part, such as body.name."`
	Message  string `json:"message"`
}
