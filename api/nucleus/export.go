package nucleus

import (
	"bufio"
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func exportRoutes() map[string]handler {
	return map[string]handler{
		"GET dataset/{ds}/exportForTraining": func(s *Server, r *request) (any, error) {
			return s.exportForTraining(r, flow.Source{Dataset: r.param("ds")})
		},
		"POST dataset/{ds}/exportForTrainingPage": func(s *Server, r *request) (any, error) {
			return s.exportForTrainingPage(r, flow.Source{Dataset: r.param("ds")})
		},
		"GET slice/{slc}/exportForTraining": func(s *Server, r *request) (any, error) {
			return s.exportForTraining(r, flow.Source{Slice: r.param("slc")})
		},
		"POST slice/{slc}/exportForTrainingPage": func(s *Server, r *request) (any, error) {
			return s.exportForTrainingPage(r, flow.Source{Slice: r.param("slc")})
		},
	}
}

// trainingTypes are the arrays that every row of an export has.
func trainingTypes() []string {
	return []string{"box", "polygon", "line", "keypoints", "cuboid", "category", "multicategory"}
}

// appendTrainingRow writes an item with its annotations, or with predictions of it:
// all seven arrays, and one object or null as segmentation.
func appendTrainingRow(b []byte, item json.RawMessage, row flow.AnnotatedItem) []byte {
	groups := make(map[string][]store.Annotation)
	for _, a := range row.Annotations {
		key := annotationKey(a.Type)
		groups[key] = append(groups[key], a)
	}
	b = append(append(b, `{"item":`...), item...)
	b = append(b, `,"segmentation":`...)
	if masks := groups["segmentation"]; len(masks) > 0 {
		b = append(b, annotationJSON(masks[0], row.Item.ReferenceID)...)
	} else {
		b = append(b, "null"...)
	}
	for _, name := range trainingTypes() {
		b = append(append(append(b, `,"`...), name...), `":[`...)
		for i, a := range groups[name] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, annotationJSON(a, row.Item.ReferenceID)...)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// exportForTraining answers with every row of a source.
func (s *Server) exportForTraining(r *request, from flow.Source) (any, error) {
	return stream(func(out *bufio.Writer) error {
		out.WriteString(`{"exportedRows":[`)
		between := ""
		err := s.Flow.EachTrainingRow(r.Context(), r.caller, from, func(row flow.AnnotatedItem) error {
			item, err := s.trainingItem(r, row.Item, false)
			if err != nil {
				return err
			}
			if row.Annotations, err = s.withMasks(r, row.Annotations); err != nil {
				return err
			}
			_, err = out.Write(appendTrainingRow([]byte(between), item, row))
			between = ","
			return err
		})
		out.WriteString("]}")
		return err
	}), nil
}

func (s *Server) exportForTrainingPage(r *request, from flow.Source) (any, error) {
	var query struct {
		pageRequest
		Query              string `json:"query"`
		Chip               bool   `json:"chip"`
		OnlyMostRecentTask bool   `json:"onlyMostRecentTask"`
	}
	if err := r.json(&query); err != nil {
		return nil, err
	}
	after, size, err := query.after()
	if err != nil {
		return nil, err
	}
	from.Query = query.Query
	rows, err := s.Flow.TrainingPage(r.Context(), r.caller, from, after, size+1)
	if err != nil {
		return nil, err
	}
	rows, next := pageOf(rows, size, func(row flow.AnnotatedItem) string { return at(row.Item.Position) })
	data := []byte{'['}
	for i, row := range rows {
		if query.OnlyMostRecentTask {
			row.Annotations = flow.MostRecentTask(row.Annotations)
		}
		item, err := s.trainingItem(r, row.Item, query.Chip)
		if err != nil {
			return nil, err
		}
		if row.Annotations, err = s.withMasks(r, row.Annotations); err != nil {
			return nil, err
		}
		if i > 0 {
			data = append(data, ',')
		}
		data = appendTrainingRow(data, item, row)
	}
	return map[string]any{"data": json.RawMessage(append(data, ']')), "nextPageToken": next}, nil
}

// trainingItem writes the item of a row of an export.
func (s *Server) trainingItem(r *request, item store.Item, mirror bool) (json.RawMessage, error) {
	wire, err := s.itemJSON(r, item, mirror)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(wire)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write item %s: %w", item.ID, err)
	}
	return text, nil
}
