package blob

// LocalPath returns where a blob's bytes lie on this machine's disk, for
// programs that take files; false in a bucket. Nothing says that the blob is
// there. Its file must never be written to.
func (s *Store) LocalPath(ref Ref) (path string, ok bool) {
	f, ok := s.medium.(*folder)
	if !ok {
		return "", false
	}
	return f.path(ref.key()), true
}
