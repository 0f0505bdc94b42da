package flow

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"remuda"
	"remuda/store"
)

// A row is a JSON array. Whole numbers are integers, others have a point or an
// exponent; what JSON can't say stands in an object of one member:
//
//	{"text": base64}    a text that is not UTF-8
//	{"bytes": base64}
//	{"number": "NaN"}   or +Inf, -Inf

// appendRow adds a row to a buffer.
func appendRow(to []byte, values []any) ([]byte, error) {
	to = append(to, '[')
	for i, v := range values {
		if i > 0 {
			to = append(to, ',')
		}
		switch v := v.(type) {
		case nil:
			to = append(to, "null"...)
		case bool:
			to = strconv.AppendBool(to, v)
		case int64:
			to = strconv.AppendInt(to, v, 10)
		case float64:
			to = appendFloat(to, v)
		case string:
			to = appendText(to, v)
		case []byte:
			to = append(append(append(to, `{"bytes":"`...), base64.StdEncoding.EncodeToString(v)...), `"}`...)
		default:
			return to, remuda.Errorf(remuda.Internal, "write the backup: a value of type %T", v)
		}
	}
	return append(to, ']'), nil
}

func appendFloat(to []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(append(append(to, `{"number":"`...), strconv.FormatFloat(v, 'g', -1, 64)...), `"}`...)
	}
	begun := len(to)
	to = strconv.AppendFloat(to, v, 'g', -1, 64)
	if !bytes.ContainsAny(to[begun:], ".e") {
		to = append(to, ".0"...)
	}
	return to
}

func appendText(to []byte, v string) []byte {
	if !utf8.ValidString(v) {
		return append(append(append(to, `{"text":"`...), base64.StdEncoding.EncodeToString([]byte(v))...), `"}`...)
	}
	text, _ := json.Marshal(v) // a string always encodes
	return append(to, text...)
}

// maxRow is how many bytes a row of a backup may have.
const maxRow = 256 << 20

// readRows reads an entry of rows.
func readRows(table string, content io.Reader) (rows store.Rows, err error) {
	rows.Table = table
	lines := bufio.NewScanner(content)
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	for first := true; lines.Scan(); first = false {
		if first {
			if err := json.Unmarshal(lines.Bytes(), &rows.Columns); err != nil {
				return rows, notWhole("%w", err)
			}
			continue
		}
		values, err := parseRow(lines.Bytes(), len(rows.Columns))
		if err != nil {
			return rows, err
		}
		rows.Values = append(rows.Values, values)
	}
	if err := lines.Err(); err != nil {
		return rows, notWhole("%w", err)
	}
	return rows, nil
}

func parseRow(line []byte, columns int) ([]any, error) {
	values := make([]any, 0, columns)
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil {
		return nil, notWhole("%w", err)
	}
	for i, v := range values {
		var err error
		switch v := v.(type) {
		case json.Number:
			if strings.ContainsAny(string(v), ".eE") {
				values[i], err = v.Float64()
			} else {
				values[i], err = v.Int64()
			}
		case map[string]any:
			values[i], err = parseSpecial(v)
		case []any:
			err = remuda.Errorf(remuda.Invalid, "a list in a row")
		}
		if err != nil {
			return nil, notWhole("%w", err)
		}
	}
	return values, nil
}

// parseSpecial reads what stands in an object of one member.
func parseSpecial(object map[string]any) (any, error) {
	for kind, v := range object {
		text, ok := v.(string)
		switch {
		case ok && kind == "number":
			return strconv.ParseFloat(text, 64)
		case ok && kind == "bytes":
			return base64.StdEncoding.DecodeString(text)
		case ok && kind == "text":
			decoded, err := base64.StdEncoding.DecodeString(text)
			return string(decoded), err
		}
	}
	return nil, remuda.Errorf(remuda.Invalid, "an object in a row")
}
