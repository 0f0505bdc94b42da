package slice

// Union returns the ids of a, then those of b that are not in a, each once, in
// their order.
func Union[ID comparable](a, b []ID) []ID {
	seen := make(map[ID]bool, len(a)+len(b))
	return keep(keep(nil, a, seen, func(ID) bool { return true }), b, seen, func(ID) bool { return true })
}

// Intersect returns the ids of a that are in b, each once, in a's order.
func Intersect[ID comparable](a, b []ID) []ID {
	in := set(b)
	return keep(nil, a, make(map[ID]bool, len(a)), func(id ID) bool { return in[id] })
}

// Subtract returns the ids of a that are not in b, each once, in a's order.
func Subtract[ID comparable](a, b []ID) []ID {
	in := set(b)
	return keep(nil, a, make(map[ID]bool, len(a)), func(id ID) bool { return !in[id] })
}

func set[ID comparable](ids []ID) map[ID]bool {
	in := make(map[ID]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	return in
}

// keep appends to kept those of ids that are wanted and not seen yet.
func keep[ID comparable](kept, ids []ID, seen map[ID]bool, wanted func(ID) bool) []ID {
	for _, id := range ids {
		if !seen[id] && wanted(id) {
			seen[id] = true
			kept = append(kept, id)
		}
	}
	return kept
}
