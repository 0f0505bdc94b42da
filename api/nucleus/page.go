package nucleus

import (
	"bufio"
	"encoding/json"
	"strconv"

	"remuda"
)

// pageRequest is what asks for a page.
type pageRequest struct {
	Token json.RawMessage `json:"pageToken"`
	Size  int             `json:"pageSize"`
}

// maxPage is how many rows a page has at most, however many are asked for: the
// client goes on until there is no next page.
const maxPage = 2000

// after reads a page's size and the position that its token names, -1 to begin.
func (p *pageRequest) after() (position int64, size int, err error) {
	size = p.Size
	if size == 0 || size > maxPage {
		size = maxPage
	}
	if size < 0 {
		return 0, 0, remuda.Errorf(remuda.Invalid, "a page of %d rows", size).WithHint("ask for at least one")
	}
	if len(p.Token) == 0 || string(p.Token) == "null" || string(p.Token) == `""` {
		return -1, size, nil
	}
	var text string
	err = json.Unmarshal(p.Token, &text)
	if err == nil {
		position, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil || position < 0 {
		return 0, 0, remuda.Errorf(remuda.Invalid, "%.80s is no token of a page", p.Token).WithHint("begin with a pageToken of null")
	}
	return position, size, nil
}

// page reads a request for a page that says nothing else.
func (r *request) page() (position int64, size int, err error) {
	var page pageRequest
	if err := r.json(&page); err != nil {
		return 0, 0, err
	}
	return page.after()
}

// pageOf cuts rows of which one more than a page has was asked for, and names the
// next page by the place of the last row; null if there is none.
func pageOf[T any](rows []T, size int, place func(T) string) (page []T, next any) {
	if len(rows) <= size {
		return rows, nil
	}
	return rows[:size], place(rows[size-1])
}

// at is the place of what has a position.
func at(position int64) string { return strconv.FormatInt(position, 10) }

// list writes each of several things; none are an empty list.
func list[T any](things []T, write func(T) map[string]any) []map[string]any {
	rows := make([]map[string]any, len(things))
	for i, thing := range things {
		rows[i] = write(thing)
	}
	return rows
}

// window is how many rows are in memory at a time while all are written.
const window = 1000

// writeAll writes all that next hands out behind a position, a window at a time,
// as a JSON array; wire returns what is written of a row, and its position.
func writeAll[T any](out *bufio.Writer, next func(after int64) ([]T, error), wire func(T) (any, int64, error)) error {
	out.WriteByte('[')
	encode := json.NewEncoder(out)
	for after, first := int64(-1), true; ; {
		rows, err := next(after)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !first {
				out.WriteByte(',')
			}
			first = false
			written, position, err := wire(row)
			if err != nil {
				return err
			}
			if err := encode.Encode(written); err != nil {
				return err
			}
			after = position
		}
		if len(rows) < window {
			return out.WriteByte(']')
		}
	}
}
