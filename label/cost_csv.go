package label

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSVHeader is the first line of a ledger's CSV. Columns are only ever added at
// its end.
const CSVHeader = "scope,id,images,boxes,drawn,active_seconds,cost,currency,seconds_per_image,cost_per_image,seconds_per_box,cost_per_box"

// WriteCSV writes the ledger as a table: the total, then every batch, person
// and task. What can't be divided is left empty. A name that a spreadsheet would
// take for a formula gets an apostrophe before it.
func (l Ledger) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	err := out.Write(strings.Split(CSVHeader, ","))
	for _, scope := range []struct {
		name  string
		lines []Line
	}{{"total", []Line{l.Total}}, {"batch", l.Batches}, {"person", l.People}, {"task", l.Tasks}} {
		for _, line := range scope.lines {
			if err == nil {
				err = out.Write(record(scope.name, line, l.Currency))
			}
		}
	}
	if out.Flush(); err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("write the costs as CSV: %w", err)
	}
	return nil
}

func record(scope string, l Line, currency string) []string {
	number := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	per := func(v float64, digits, of int) string {
		if of == 0 {
			return ""
		}
		return number(v, digits)
	}
	return []string{
		scope, plain(l.ID), strconv.Itoa(l.Images), strconv.Itoa(l.Boxes), strconv.Itoa(l.Drawn),
		number(l.Seconds, 1), number(l.Cost, 4), plain(currency),
		per(l.SecondsPerImage, 1, l.Images), per(l.CostPerImage, 4, l.Images),
		per(l.SecondsPerBox, 1, l.Boxes), per(l.CostPerBox, 4, l.Boxes),
	}
}

// plain keeps a spreadsheet from running a name.
func plain(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}
