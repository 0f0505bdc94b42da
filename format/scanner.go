package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// scanner reads JSON (RFC 8259) from memory in one pass without building a
// tree; encoding/json takes four times as long on a file of 250,000
// predictions. Its first error sticks and ends every loop.
type scanner struct {
	b   []byte
	at  int
	err error
}

// newScanner starts behind a byte order mark and insists on UTF-8.
func newScanner(b []byte) *scanner {
	s := &scanner{b: bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))}
	if !utf8.Valid(s.b) {
		s.err = fmt.Errorf("it is not UTF-8 text")
	}
	return s
}

// fail keeps the first error, with the line and column it was met at.
func (s *scanner) fail(format string, args ...any) {
	if s.err != nil {
		return
	}
	before := s.b[:min(s.at, len(s.b))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := len(before) - bytes.LastIndexByte(before, '\n')
	s.err = fmt.Errorf("line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
}

// peek returns the next byte that isn't white space, 0 at the end or after an error.
func (s *scanner) peek() byte {
	if s.err != nil {
		return 0
	}
	for s.at < len(s.b) {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	s.fail("the file ends in the middle")
	return 0
}

// expect passes over a punctuation mark.
func (s *scanner) expect(c byte) {
	if got := s.peek(); s.err == nil {
		if got != c {
			s.fail("found %q where %q belongs", got, c)
			return
		}
		s.at++
	}
}

// more is the head of a loop over an array or object that has just been
// opened: it passes over the comma and reports whether a member follows.
// first is true before the first member and is cleared here.
func (s *scanner) more(end byte, first *bool) bool {
	c := s.peek()
	if s.err != nil {
		return false
	}
	if c == end {
		s.at++
		return false
	}
	if !*first {
		s.expect(',')
		if s.peek() == end {
			s.fail("found %q after a comma", end)
		}
	}
	*first = false
	return s.err == nil
}

// object calls member for each key of an object; member has to read or skip the value.
func (s *scanner) object(member func(key string)) {
	s.expect('{')
	for first := true; s.more('}', &first); {
		key := s.rawText()
		s.expect(':')
		if s.err == nil {
			member(key)
		}
	}
}

// array calls element for each element, which it has to read or skip.
func (s *scanner) array(element func(i int)) {
	s.expect('[')
	i := 0
	for first := true; s.more(']', &first); i++ {
		element(i)
	}
}

// rawText reads a string; the result may share the file's memory.
func (s *scanner) rawText() string {
	s.expect('"')
	if s.err != nil {
		return ""
	}
	start := s.at
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.at = i + 1
			return view(s.b[start:i])
		case c == '\\':
			return s.escapedText(start)
		case c < ' ':
			s.at = i
			s.fail("a control character stands in a string")
			return ""
		}
	}
	s.at = len(s.b)
	s.fail("the file ends in the middle of a string")
	return ""
}

// escapedText reads a string with escapes in it, from the byte after its quote.
func (s *scanner) escapedText(start int) string {
	for i := start; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			i++
		case '"':
			s.at = i + 1
			var text string
			if err := json.Unmarshal(s.b[start-1:s.at], &text); err != nil {
				s.fail("a string has a wrong escape in it")
			}
			return text
		}
	}
	s.at = len(s.b)
	s.fail("the file ends in the middle of a string")
	return ""
}

// view returns bytes as a string without copying them; the file's memory is never written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// number reads a number. ok is false, without an error, where another kind of
// value stands, which is skipped, or the number is beyond float64.
func (s *scanner) number() (v float64, ok bool) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		s.skip()
		return 0, false
	}
	start := s.at
	s.literal()
	text := view(s.b[start:s.at])
	if !validNumber(text) {
		s.at = start
		if text == "-Infinity" {
			s.fail("%s is no JSON number", text)
		} else {
			s.fail("%q is no number", text)
		}
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// digits is the short way for what ids are nearly always: a few digits and
// then a comma or bracket. It moves only where it succeeds.
func (s *scanner) digits() (n int64, ok bool) {
	const most = 15 // digits, that float64 would hold exactly too
	for i := s.at; i < len(s.b) && i-s.at <= most; i++ {
		switch c := s.b[i]; {
		case c >= '0' && c <= '9' && (n > 0 || i == s.at): // no leading zero
			n = 10*n + int64(c-'0')
			continue
		case i > s.at && (c == ',' || c == '}' || c == ']'):
			s.at = i
			return n, true
		}
		return 0, false
	}
	return 0, false
}

// literal passes over letters, digits and signs.
func (s *scanner) literal() {
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '+', c == '.':
			s.at++
		default:
			return
		}
	}
}

// validNumber holds JSON's grammar of numbers, narrower than strconv's.
func validNumber(t string) bool {
	digits := func() bool {
		n := 0
		for n < len(t) && t[n] >= '0' && t[n] <= '9' {
			n++
		}
		t = t[n:]
		return n > 0
	}
	if t != "" && t[0] == '-' {
		t = t[1:]
	}
	leadingZero := len(t) > 1 && t[0] == '0' && t[1] >= '0' && t[1] <= '9'
	if leadingZero || !digits() {
		return false
	}
	if t != "" && t[0] == '.' {
		if t = t[1:]; !digits() {
			return false
		}
	}
	if t != "" && (t[0] == 'e' || t[0] == 'E') {
		if t = t[1:]; t != "" && (t[0] == '-' || t[0] == '+') {
			t = t[1:]
		}
		if !digits() {
			return false
		}
	}
	return t == ""
}

// skip passes over any value, checking that brackets match and that literals are JSON's.
func (s *scanner) skip() {
	var open []byte // the closing brackets waited for
	for {
		switch c := s.peek(); {
		case s.err != nil:
			return
		case c == '{':
			s.at++
			open = append(open, '}')
			if s.peek() != '}' {
				s.rawText()
				s.expect(':')
				continue
			}
		case c == '[':
			s.at++
			open = append(open, ']')
			if s.peek() != ']' {
				continue
			}
		default:
			s.scalar()
		}
		if open = s.close(open); len(open) == 0 {
			return
		}
	}
}

// close passes over the closing brackets and the comma that follow a value in
// skip, and the key after it in an object.
func (s *scanner) close(open []byte) []byte {
	for len(open) > 0 && s.err == nil {
		end := open[len(open)-1]
		switch c := s.peek(); c {
		case end:
			s.at++
			open = open[:len(open)-1]
		case ',':
			s.at++
			if end == '}' {
				s.rawText()
				s.expect(':')
			}
			return open
		default:
			s.fail("found %q where a comma or %q belongs", c, end)
		}
	}
	return open
}

// scalar passes over a string, number, true, false or null.
func (s *scanner) scalar() {
	switch c := s.peek(); {
	case c == '"':
		s.rawText()
	case c == '-' || c >= '0' && c <= '9':
		s.number()
	default:
		start := s.at
		s.literal()
		switch text := view(s.b[start:s.at]); text {
		case "true", "false", "null":
		case "":
			s.fail("found %q where a value belongs", c)
		default:
			s.at = start
			s.fail("%s is no JSON value", text)
		}
	}
}

// end insists that nothing but white space is left.
func (s *scanner) end() {
	if s.err != nil {
		return
	}
	if rest := bytes.TrimLeft(s.b[s.at:], " \t\r\n"); len(rest) > 0 {
		s.at = len(s.b) - len(rest)
		s.fail("something follows the end of the JSON value")
	}
}
