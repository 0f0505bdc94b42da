package own

import "net/http"

// Refuse answers, in this API's shape, a request that a guard in front of it
// turns away.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) { s.refuse(w, r, err) }
