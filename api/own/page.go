package own

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"remuda"
	"remuda/store"
	"remuda/wire"
)

// Paging chooses a page of a list.
type Paging struct {
	Cursor string `query:"cursor" doc:"What the page before gave as next; absent for the first."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
}

// A cursor is a place behind which a page begins. Clients don't look into it.
func cursorAt(position int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("p" + strconv.FormatInt(position, 36)))
}

// position reads a cursor; -1 for none.
func (p Paging) position() (int64, error) {
	if p.Cursor == "" {
		return -1, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil && len(text) > 1 && text[0] == 'p' {
		if n, err := strconv.ParseInt(string(text[1:]), 36, 64); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, remuda.Errorf(remuda.Invalid, "%.80q is no cursor of this list", p.Cursor).WithHint("send what the page before gave as next")
}

// cursorOf is cursorAt for a place among boxes.
func cursorOf(c store.BoxCursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte("b" + strconv.FormatInt(c.Position, 36) + "." + c.ID))
}

// place reads such a cursor; the place before all for none.
func (p Paging) place() (store.BoxCursor, error) {
	if p.Cursor == "" {
		return store.BoxCursor{Position: -1}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if position, id, ok := strings.Cut(strings.TrimPrefix(string(text), "b"), "."); err == nil && ok && text[0] == 'b' {
		if n, err := strconv.ParseInt(position, 36, 64); err == nil && n >= 0 && !strings.ContainsRune(id, 0) && utf8.ValidString(id) {
			return store.BoxCursor{Position: n, ID: id}, nil
		}
	}
	return store.BoxCursor{}, remuda.Errorf(remuda.Invalid, "%.80q is no cursor of this list", p.Cursor).WithHint("send what the page before gave as next")
}

// cut returns at most limit of rows, of which one more was asked for, and whether there are more.
func cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// list turns rows into what is sent; never null.
func list[T, U any](rows []T, of func(T) U) []U {
	out := make([]U, len(rows))
	for i, row := range rows {
		out[i] = of(row)
	}
	return out
}

// texts returns a list that is never null.
func texts(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func timeOf(t wire.Time) (time.Time, error) {
	at, err := t.Time()
	if err != nil {
		return at, remuda.Errorf(remuda.Invalid, "%w", err).WithHint("write it like 2026-01-31T12:00:00Z")
	}
	return at, nil
}
