package store

// Contents counts rows of both worlds.
type Contents struct {
	Rows map[string]int64 // by what they are: datasets, items …
	Jobs []JobCount
}

// JobCount is how many unfinished jobs of a type have a status.
type JobCount struct {
	Type   string
	Status JobStatus
	Count  int64
}

func scanJobCount(row rowScanner) (c JobCount, err error) {
	err = row.Scan(&c.Type, &c.Status, &c.Count)
	return c, err
}

// Contents counts what the database holds, for metrics.
func (tx *Tx) Contents() (c Contents, err error) {
	c.Rows = make(map[string]int64)
	for kind, table := range map[string]string{"datasets": "dataset", "items": "item", "users": "users"} {
		if c.Rows[kind], err = one(tx, kind, scalar[int64], "SELECT COUNT(*) FROM "+table); err != nil {
			return c, err
		}
	}
	c.Jobs, err = all(tx, scanJobCount, "SELECT type, status, COUNT(*) FROM job WHERE status IN ('waiting', 'running') GROUP BY type, status")
	return c, err
}
