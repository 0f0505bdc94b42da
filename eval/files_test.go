package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"remuda"
)

// folder keeps files in memory.
type folder map[string]*bytes.Buffer

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (f folder) create(name string) (io.WriteCloser, error) {
	f[name] = &bytes.Buffer{}
	return nopCloser{f[name]}, nil
}

func (f folder) open(name string) (io.ReadCloser, error) {
	b, ok := f[name]
	if !ok {
		return nil, errors.New("no such file")
	}
	return io.NopCloser(bytes.NewReader(b.Bytes())), nil
}

func saved(t *testing.T, e *Evaluation) folder {
	t.Helper()
	f := folder{}
	if err := e.Save(f.create); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEvaluationSurvivesItsFolder(t *testing.T) {
	for n := range 60 {
		truth, predictions := generated(n)
		e := evaluated(t, truth, predictions, Options{Bootstrap: 10, Seed: 4})
		got, err := Load(saved(t, e).open)
		if err != nil {
			t.Fatalf("case %d: %v", n, err)
		}
		if !reflect.DeepEqual(got.Matches(), e.Matches()) {
			t.Fatalf("case %d: the matches differ", n)
		}
		again, other := *got, *e
		again.Truth, other.Truth = remuda.Dataset{}, remuda.Dataset{} // in file order of categories
		again.tables, other.tables = nil, nil
		x, _ := json.Marshal(again)
		y, _ := json.Marshal(other)
		if !bytes.Equal(x, y) {
			t.Fatalf("case %d: read back\n%s\nwritten\n%s", n, x, y)
		}
		c, err := Compare(e, got)
		if err != nil {
			t.Fatalf("case %d: %v", n, err)
		}
		if c.BoxCounts.Fixed+c.BoxCounts.Broken > 0 {
			t.Fatalf("case %d: %+v", n, c.BoxCounts)
		}
	}
}

func TestEvaluationJSONHasTheContractsFields(t *testing.T) {
	truth, predictions := generated(11)
	f := saved(t, evaluated(t, truth, predictions, Options{Bootstrap: 10}))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(f[EvaluationFile].Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	const contract = "ap ap50 ap75 ap_small ap_medium ap_large ar1 ar10 ar100 ar_small ar_medium ar_large f1 precision recall threshold ap_ar_f1 " +
		"images ground_truths predictions tp fp fn intervals categories threshold_from optimistic"
	for _, name := range strings.Fields(contract) {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	var intervals struct{ F1, AP [2]float64 }
	if err := json.Unmarshal(fields["intervals"], &intervals); err != nil || intervals.F1[1] == 0 {
		t.Errorf("intervals are %s (%v)", fields["intervals"], err)
	}
}

func TestChangedFolderIsNoticed(t *testing.T) {
	truth, predictions := generated(11)
	e := evaluated(t, truth, predictions, Options{Bootstrap: 10})
	other, _ := field(3, always, never)
	for want, change := range map[string]func(folder){
		"read evaluation.json: no such file": func(f folder) { delete(f, EvaluationFile) },
		"read predictions.json: decode":      func(f folder) { f[PredictionsFile].Truncate(f[PredictionsFile].Len() / 2) },
		"but ground_truth.json and predictions.json give": func(f folder) {
			f[PredictionsFile] = bytes.NewBufferString("[]")
		},
		"which the ground truth does not list": func(f folder) {
			f[GroundTruthFile] = saved(t, evaluated(t, other, nil, Options{Bootstrap: -1}))[GroundTruthFile]
		},
	} {
		f := saved(t, e)
		change(f)
		if _, err := Load(f.open); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSaveReportsAFullDisk(t *testing.T) {
	truth, predictions := generated(11)
	e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
	full := errors.New("no space left")
	err := e.Save(func(name string) (io.WriteCloser, error) {
		return nopCloser{writerFunc(func([]byte) (int, error) { return 0, full })}, nil
	})
	if !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "save evaluation: write matches.json") {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// FuzzLoad holds that no folder makes Load panic, and that what it takes can be
// saved again.
func FuzzLoad(f *testing.F) {
	for _, n := range []int{0, 11} {
		truth, predictions := generated(n)
		e, err := Evaluate(truth, predictions[:min(len(predictions), 5)], Options{Bootstrap: -1})
		if err != nil {
			f.Fatal(err)
		}
		files := folder{}
		if err := e.Save(files.create); err != nil {
			f.Fatal(err)
		}
		f.Add(files[EvaluationFile].Bytes(), files[GroundTruthFile].Bytes(), files[PredictionsFile].Bytes())
	}
	f.Add([]byte(`{"ap":-1,"f1":-1}`), []byte(`{}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, numbers, truth, predictions []byte) {
		files := folder{EvaluationFile: bytes.NewBuffer(numbers), GroundTruthFile: bytes.NewBuffer(truth), PredictionsFile: bytes.NewBuffer(predictions)}
		e, err := Load(files.open)
		if err != nil {
			return
		}
		if err := e.Save(folder{}.create); err != nil {
			t.Errorf("what was read can't be saved: %v", err)
		}
	})
}
