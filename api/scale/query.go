package scale

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"remuda"
)

// query reads the parameters of a list and remembers the first that is wrong.
type query struct {
	url.Values
	err error
}

func (r *request) query() *query { return &query{Values: r.URL.Query()} }

func (q *query) refuse(name, value, hint string) {
	if q.err == nil {
		q.err = remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q cannot be %.80q", name, value).WithHint("%s", hint)
	}
}

// timeLayouts are the forms that dates come in. Those without a zone are UTC.
func timeLayouts() []string {
	return []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	}
}

// time reads a date, the zero time if there is none.
func (q *query) time(name string) time.Time {
	text := strings.TrimSpace(q.Get(name))
	if text == "" {
		return time.Time{}
	}
	for _, layout := range timeLayouts() {
		// a + of a zone that nobody escaped has become a space
		for _, form := range []string{text, strings.Replace(text, " ", "+", 1)} {
			if t, err := time.Parse(layout, form); err == nil {
				return t.UTC()
			}
		}
	}
	q.refuse(name, text, "write dates like 2021-04-25 or 2021-04-25T03:14:15Z")
	return time.Time{}
}

// bool reads true, True, 1 and the like; false if there is nothing.
func (q *query) bool(name string) bool {
	text := q.Get(name)
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		q.refuse(name, text, "write true or false")
	}
	return yes
}

// number reads a whole number from least to most, or usual if there is none.
func (q *query) number(name string, usual, least, most int) int {
	text := q.Get(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.refuse(name, text, "choose "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return usual
	}
	return n
}

// list reads a parameter that may be there several times; empty ones are left out.
func (q *query) list(name string) (values []string) {
	for _, v := range q.Values[name] {
		if v != "" {
			values = append(values, v)
		}
	}
	return values
}

// words reads parameters that are there several times or joined by commas.
func (q *query) words(name string) (values []string) {
	for _, v := range q.Values[name] {
		for word := range strings.SplitSeq(v, ",") {
			if word = strings.TrimSpace(word); word != "" {
				values = append(values, word)
			}
		}
	}
	return values
}

// token reads the id after which the next page begins; "" for the first page.
func (q *query) token(name string) string {
	text := q.Get(name)
	if text == "" {
		return ""
	}
	id, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		q.refuse(name, text, "give the next_token of the page before, or none")
	}
	return string(id)
}

// pageToken names the page after an id.
func pageToken(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }
