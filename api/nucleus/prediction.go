package nucleus

import (
	"bufio"
	"encoding/json"

	"remuda/flow"
	"remuda/store"
)

func predictionRoutes() map[string]handler {
	onDataset := func(r *request) flow.PredictionPlace {
		return flow.PredictionPlace{Dataset: r.param("ds"), Model: r.param("prj"), Run: r.param("run")}
	}
	byRef := func(r *request) (flow.ItemChoice, error) { return flow.ItemChoice{Reference: r.param("ref")}, nil }
	byID := func(r *request) (flow.ItemChoice, error) { return flow.ItemChoice{ID: r.param("di")}, nil }
	return map[string]handler{
		"POST dataset/{ds}/model/{prj}/uploadPredictions":    uploadPredictions(onDataset),
		"POST dataset/{ds}/modelRun/{run}/uploadPredictions": uploadPredictions(onDataset),
		"POST modelRun/{run}/uploadPredictions":              uploadPredictions(onDataset),
		"POST modelRun/{run}/predict":                        uploadPredictions(onDataset),
		"POST model/{prj}/predictions":                       uploadPredictions(onDataset),
		"GET dataset/{ds}/model/{prj}/export":                exportPredictions(onDataset),
		"GET dataset/{ds}/model/{prj}/iloc/{n}":              predictionsBy(onDataset, itemNumber),
		"GET dataset/{ds}/model/{prj}/referenceId/{ref...}":  predictionsBy(onDataset, byRef),
		"GET dataset/{ds}/model/{prj}/loc/{annotation...}":   predictionAt(onDataset),
		"GET modelRun/{run}/refloc/{ref...}":                 predictionsBy(onDataset, byRef),
		"GET modelRun/{run}/iloc/{n}":                        predictionsBy(onDataset, itemNumber),
		"GET modelRun/{run}/loc/{di}":                        predictionsBy(onDataset, byID),
		"GET modelRun/{run}/prediction/loc/{annotation...}":  predictionAt(onDataset),
		"GET modelRun/{run}/ungrouped":                       exportPredictions(onDataset),
		"GET model/{prj}/predictions/loc/{di}":               predictionList(byID),
		"GET model/{prj}/predictions/refloc/{ref...}":        predictionList(byRef),
		"GET model/{prj}/predictions/iloc/{n}":               predictionList(itemNumber),
		"GET slice/{slc}/{prj}/exportForTraining":            sliceWithPredictions((*Server).exportForTraining),
		"POST slice/{slc}/{prj}/exportForTrainingPage":       sliceWithPredictions((*Server).exportForTrainingPage),
	}
}

// placeOf says from a route's path whose predictions a call is about.
type placeOf func(*request) flow.PredictionPlace

// uploadPredictions takes predictions as JSON, as a form of masks, or by the
// request id of a staged upload. Batches of answers are added up by the
// clients: each value is a number, or absent.
func uploadPredictions(place placeOf) handler {
	return func(s *Server, r *request) (any, error) {
		sent, err := s.readAnnotations(r)
		if err != nil {
			return nil, err
		}
		at := place(r)
		if r.URL.Query().Get("async") == "1" {
			job, err := s.Flow.PredictLater(r.Context(), r.caller, at, sent.RequestID, sent.Update, sent.TrainedSliceID)
			return jobJSON(job), err
		}
		done, err := s.Flow.Predict(r.Context(), r.caller, at, sent.all(), sent.Update, sent.TrainedSliceID)
		answer := map[string]any{"predictions_processed": done.Processed, "predictions_ignored": done.Ignored}
		if at.Dataset != "" {
			answer["dataset_id"] = at.Dataset
		}
		if done.Run != "" && (at.Dataset != "" || at.Run != "") { // else there is none, or one that nobody knows of
			answer["model_run_id"] = done.Run
		}
		if len(done.Errors) > 0 {
			answer["errors"] = done.Errors
		}
		return answer, err
	}
}

func predictionsBy(place placeOf, choose func(*request) (flow.ItemChoice, error)) handler {
	return func(s *Server, r *request) (any, error) {
		choice, err := choose(r)
		if err != nil {
			return nil, err
		}
		found, err := s.Flow.Predictions(r.Context(), r.caller, place(r), choice)
		return map[string]any{"annotations": annotationsByType(found.Annotations, found.Item.ReferenceID)}, err
	}
}

// predictionList answers with what a model predicted on an item without a run, in one list.
func predictionList(choose func(*request) (flow.ItemChoice, error)) handler {
	return func(s *Server, r *request) (any, error) {
		choice, err := choose(r)
		if err != nil {
			return nil, err
		}
		found, err := s.Flow.Predictions(r.Context(), r.caller, flow.PredictionPlace{Model: r.param("prj")}, choice)
		list := make([]json.RawMessage, len(found.Annotations))
		for i, a := range found.Annotations {
			list[i] = annotationJSON(a, found.Item.ReferenceID)
		}
		return map[string]any{"predictions": list}, err
	}
}

func predictionAt(place placeOf) handler {
	return func(s *Server, r *request) (any, error) {
		item, found, err := s.Flow.PredictionAt(r.Context(), r.caller, place(r), r.param("annotation"))
		if err != nil {
			return nil, err
		}
		return annotationJSON(found, item.ReferenceID), nil
	}
}

// exportPredictions answers with all predictions, an array for each type that occurs.
func exportPredictions(place placeOf) handler {
	return func(s *Server, r *request) (any, error) {
		return stream(func(out *bufio.Writer) error {
			last, head, tail := "", "{", "{}"
			err := s.Flow.EachPrediction(r.Context(), r.caller, place(r), func(typ string, p store.Prediction) error {
				if typ != last {
					out.Write(append(appendText([]byte(head), annotationKey(typ)), `:[`...))
					last, head, tail = typ, "],", "]}"
				} else {
					out.WriteByte(',')
				}
				_, err := out.Write(annotationJSON(p.Annotation, p.ReferenceID))
				return err
			})
			out.WriteString(tail)
			return err
		}), nil
	}
}

// sliceWithPredictions answers with a slice's items and a model's predictions of them.
func sliceWithPredictions(export func(*Server, *request, flow.Source) (any, error)) handler {
	return func(s *Server, r *request) (any, error) {
		from, err := s.Flow.PredictionSource(r.Context(), r.caller, flow.Source{Slice: r.param("slc")}, r.param("prj"))
		if err != nil {
			return nil, err
		}
		return export(s, r, from)
	}
}
