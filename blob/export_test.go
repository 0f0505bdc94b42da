package blob

import "time"

// SetPatience sets how long a bucket's service is waited for.
func SetPatience(s *Store, d time.Duration) {
	if b, ok := s.medium.(*bucket); ok {
		b.patience = d
	}
}
