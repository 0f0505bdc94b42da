package slice

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokEnd     tokenKind = iota
	tokWord              // a bare word or a path of them
	tokKeyword           // a reserved word, in lower case in text
	tokText              // a quoted text
	tokNumber
	tokDate // a day, or an instant
	tokSign // operators and punctuation
)

// token is a piece of a filter. A path such as metadata."frame number" is one.
type token struct {
	kind   tokenKind
	at     int    // byte offset in the source
	text   string // the sign, keyword or unquoted text
	path   []string
	quoted []bool // which parts of path were quoted
	number float64
	time   time.Time
	day    bool // the date came without a time
	source string
}

// is reports whether the token is a sign or keyword.
func (t token) is(text string) bool {
	return (t.kind == tokSign || t.kind == tokKeyword) && t.text == text
}

// word returns the token's text if it is one bare word.
func (t token) word() string {
	if t.kind == tokWord && len(t.path) == 1 {
		return t.path[0]
	}
	return ""
}

// keywords are reserved as first words; after a dot they are keys like others.
var keywords = []string{"and", "or", "not", "in", "any", "all", "no", "none", "exists", "missing", "is", "contains", "starts", "with", "true", "false", "null"}

// signs in the order in which they are tried.
var signs = []string{"..", "<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")", ",", "+", "-", "*", "%"}

// lex cuts a filter into tokens; the last one is tokEnd.
func lex(source string) ([]token, error) {
	l := lexer{source: source}
	if len(source) > MaxText {
		return nil, failAt(source, 0, "name a slice or a tag instead of listing what is in it", "the filter has %d bytes, at most %d are allowed", len(source), MaxText)
	}
	for i, r := range source {
		if r == utf8.RuneError && !strings.HasPrefix(source[i:], "\uFFFD") {
			return nil, failAt(source, i, "", "the filter is not UTF-8")
		}
	}
	var tokens []token
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		t.source = source[t.at:l.pos]
		tokens = append(tokens, t)
		if t.kind == tokEnd {
			return tokens, nil
		}
	}
}

type lexer struct {
	source string
	pos    int
}

func (l *lexer) rest() string { return l.source[l.pos:] }

func (l *lexer) peek() rune {
	r, size := utf8.DecodeRuneInString(l.rest())
	if size == 0 {
		return -1
	}
	return r
}

func (l *lexer) next() (token, error) {
	l.pos = len(l.source) - len(strings.TrimLeftFunc(l.rest(), unicode.IsSpace))
	at := l.pos
	switch r := l.peek(); {
	case r < 0:
		return token{kind: tokEnd, at: at}, nil
	case isLetter(r):
		return l.path()
	case r >= '0' && r <= '9':
		if isDate(l.rest()) {
			return l.date()
		}
		return l.number()
	case isQuote(r):
		text, err := l.quoted()
		return token{kind: tokText, at: at, text: text}, err
	}
	for _, s := range signs {
		if strings.HasPrefix(l.rest(), s) {
			l.pos += len(s)
			switch s {
			case "<>":
				s = "!="
			case "==":
				s = "="
			}
			return token{kind: tokSign, at: at, text: s}, nil
		}
	}
	hint := ""
	switch l.peek() {
	case '&':
		hint = "write and"
	case '|':
		hint = "write or"
	case '!':
		hint = "write not"
	case '/':
		hint = "multiply the other side instead: area < 0.1 * item.area"
	}
	return token{}, failAt(l.source, at, hint, "%q is not part of the language", l.peek())
}

func isLetter(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func isWordPart(r rune) bool { return isLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

func isQuote(r rune) bool { return r == '"' || r == '\'' || r == '“' || r == '”' }

// path reads a word and the keys that follow it, each after a dot.
func (l *lexer) path() (token, error) {
	t := token{kind: tokWord, at: l.pos}
	add := func(part string, quoted bool) {
		t.path, t.quoted = append(t.path, part), append(t.quoted, quoted)
	}
	add(l.word(), false)
	for strings.HasPrefix(l.rest(), ".") && !strings.HasPrefix(l.rest(), "..") {
		l.pos++
		switch at, r := l.pos, l.peek(); {
		case isQuote(r):
			key, err := l.quoted()
			if err != nil {
				return t, err
			}
			if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r == '"' || r == '\\' || unicode.IsControl(r) }) {
				return t, failAt(l.source, at, "", "a key is not empty and has no quote, backslash or control character in it")
			}
			add(key, true)
		case isWordPart(r):
			add(l.word(), false)
		default:
			return t, failAt(l.source, at, `put quotes around a key that is not one word: metadata."frame number"`, "expected a key after the dot, found %s", describeRune(r))
		}
	}
	if len(t.path) == 1 {
		if lower := strings.ToLower(t.path[0]); slices.Contains(keywords, lower) {
			t.kind, t.text = tokKeyword, lower
		}
	}
	return t, nil
}

func (l *lexer) word() string {
	rest := l.rest()
	n := strings.IndexFunc(rest, func(r rune) bool { return !isWordPart(r) })
	if n < 0 {
		n = len(rest)
	}
	l.pos += n
	return rest[:n]
}

// quoted reads a text between quotes: of one kind, or curly ones.
func (l *lexer) quoted() (string, error) {
	start := l.pos
	open := l.peek()
	l.pos += utf8.RuneLen(open)
	var text strings.Builder
	for {
		r, at := l.peek(), l.pos
		if r < 0 {
			return "", failAt(l.source, start, "", "the text that begins here has no closing quote")
		}
		l.pos += utf8.RuneLen(r)
		switch {
		case r == open || r == '”' && open == '“':
			return text.String(), nil
		case r == 0:
			return "", failAt(l.source, at, "", "a text has no NUL in it")
		case r == '\\':
			r, err := l.escape(at)
			if err != nil {
				return "", err
			}
			text.WriteRune(r)
		default:
			text.WriteRune(r)
		}
	}
}

// escape reads what follows a backslash.
func (l *lexer) escape(at int) (rune, error) {
	r := l.peek()
	l.pos += max(0, utf8.RuneLen(r))
	switch r {
	case 'n':
		return '\n', nil
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case '\\', '"', '\'', '“', '”':
		return r, nil
	case 'u':
		if len(l.rest()) >= 4 {
			n, err := strconv.ParseUint(l.rest()[:4], 16, 16)
			if err == nil && n != 0 && utf8.ValidRune(rune(n)) {
				l.pos += 4
				return rune(n), nil
			}
		}
	}
	return 0, failAt(l.source, at, "", `after a backslash stands \, ", ', n, r, t or u with four hexadecimal digits`)
}

func (l *lexer) digits() {
	for r := l.peek(); r >= '0' && r <= '9'; r = l.peek() {
		l.pos++
	}
}

func (l *lexer) number() (token, error) {
	at := l.pos
	l.digits()
	if rest := l.rest(); len(rest) > 1 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9' {
		l.pos++
		l.digits()
	}
	if r := l.peek(); r == 'e' || r == 'E' {
		mark := l.pos
		l.pos++
		if r := l.peek(); r == '+' || r == '-' {
			l.pos++
		}
		digits := l.pos
		if l.digits(); l.pos == digits {
			l.pos = mark
		}
	}
	if isWordPart(l.peek()) {
		l.word()
		return token{}, failAt(l.source, at, "sizes are in pixels, without a unit; put quotes around a text", "%q is not a number", clip(l.source[at:l.pos]))
	}
	n, err := strconv.ParseFloat(l.source[at:l.pos], 64)
	if err != nil || !inRange(n) {
		return token{}, failAt(l.source, at, "", "the number is out of range: 0, or 1e-20 to 1e19")
	}
	return token{kind: tokNumber, at: at, number: n}, nil
}

// inRange reports whether a number may stand in a filter or in arithmetic.
func inRange(n float64) bool {
	if n < 0 {
		n = -n
	}
	return n == 0 || n >= 1e-20 && n <= 1e19
}

func isDate(s string) bool {
	if len(s) < len(time.DateOnly) {
		return false
	}
	for i, c := range []byte(time.DateOnly) {
		if digit := s[i] >= '0' && s[i] <= '9'; digit != (c != '-') || !digit && s[i] != '-' {
			return false
		}
	}
	return true
}

// date reads 2026-01-31, or that with a time as RFC 3339 has it; without a
// zone it is UTC, and the seconds may be left out.
func (l *lexer) date() (token, error) {
	t := token{kind: tokDate, at: l.pos, day: true}
	l.pos += len(time.DateOnly)
	if r := l.peek(); r == 'T' || r == 't' {
		t.day = false
		for ; r > 0 && strings.ContainsRune("0123456789:.TtZz+-", r) && !strings.HasPrefix(l.rest(), ".."); r = l.peek() {
			l.pos++
		}
	}
	parsed, ok := parseDate(l.source[t.at:l.pos])
	if !ok || isWordPart(l.peek()) {
		return t, failAt(l.source, t.at, "write 2026-01-31 or 2026-01-31T18:30:00Z", "this is no date of the years 1000 to 9998")
	}
	t.time = parsed
	return t, nil
}

func parseDate(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC().Truncate(time.Millisecond)
			// A day's end must have a four-digit year too.
			return t, t.Year() >= 1000 && (t.Year() < 9999 || t.Year() == 9999 && layout != time.DateOnly)
		}
	}
	return time.Time{}, false
}

func describeRune(r rune) string {
	if r < 0 {
		return "the end"
	}
	return strconv.QuoteRune(r)
}
