package own

import (
	"encoding/json"
	"reflect"
	"testing"

	"remuda/label"
	"remuda/wire"
)

// fill gives every field of a value something that isn't its zero value.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), depth)
			}
		}
	case reflect.Slice:
		if depth > 8 { // categories have categories
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		v.Set(reflect.ValueOf("some"))
	case reflect.String:
		v.SetString("some")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.25)
	}
}

// same fails the test unless a type of package label and one of package wire
// are the same in JSON, in both directions.
func same[L, W any](t *testing.T) {
	t.Helper()
	var value L
	fill(reflect.ValueOf(&value).Elem(), 0)
	sent, err := as[W](value)
	if err != nil {
		t.Fatal(err)
	}
	back, err := as[L](sent)
	if err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("%T becomes\n%s, was\n%s", value, after, before)
	}
}

func TestWhatIsSentIsWhatTheRulesSay(t *testing.T) {
	same[label.Answer, wire.Answer](t)
	same[label.Taxonomy, wire.DrawTaxonomy](t)
	same[label.Example, wire.Example](t)
	same[label.Prices, wire.Prices](t)
	same[label.Change, wire.Change](t)
	same[label.Override, wire.Override](t)
	same[label.Finding, wire.CheckFinding](t)
	same[label.Merged, wire.Merged](t)
	same[label.Reports, wire.Calibration](t)
	same[label.Ceiling, wire.Ceiling](t)
	same[label.Tally, wire.AuditEstimate](t)
	same[label.Ledger, wire.Costs](t)
	same[label.Ahead, wire.Ahead](t)
}
