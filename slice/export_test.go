package slice

// ValueOf computes a numeric expression on an item, for tests.
func ValueOf(e Expr, item *Item) (float64, bool) {
	return row{item: item, box: &Box{}}.value(e, false)
}
