package nucleus

import (
	"bufio"
	"encoding/json"
	"hash/fnv"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func sliceRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/create_slice":          createSlice,
		"POST dataset/{ds}/build_slice":           buildSlice,
		"GET dataset/{ds}/slices":                 datasetSlices,
		"GET slice/":                              allSlices,
		"GET slice/{slc}":                         sliceItems,
		"GET slice/{slc}/info":                    sliceInfo,
		"POST slice/{slc}/itemsPage":              sliceItemsPage,
		"POST slice/{slc}/append":                 appendToSlice,
		"DELETE slice/{slc}":                      deleteSlice,
		"POST slice/{slc}/tag":                    tagSlice,
		"GET slice/{slc}/class_labels":            sliceClassLabels,
		"GET slice/{slc}/exportRawItems":          exportRawItems,
		"GET slice/{slc}/export_raw_json":         refuse("exports of raw JSON"),
		"POST slice/{slc}/{prj}/send_to_labeling": refuse("sending slices to labeling; make a batch of the slice instead"),
	}
}

// refuse answers for what this server does not serve of a slice or dataset.
func refuse(what string) handler {
	return func(s *Server, r *request) (any, error) {
		var err error
		if id := r.param("slc"); id != "" {
			_, err = s.Flow.Slice(r.Context(), r.caller, id)
		} else {
			_, err = s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
		}
		if err != nil {
			return nil, err
		}
		return nil, remuda.Errorf(remuda.Invalid, "this server does not serve %s", what)
	}
}

// sliceBody is what slices are made from.
type sliceBody struct {
	Name       string   `json:"name"`
	References []string `json:"reference_ids"`
	Items      []string `json:"dataset_item_ids"`
	Objects    []string `json:"object_ids"`
	Scenes     []string `json:"scene_ids"`
	AllowEmpty any      `json:"allow_empty"`
}

// choice checks what was sent; empty says that nothing may be chosen.
func (b *sliceBody) choice(empty bool) (flow.SliceChoice, error) {
	c := flow.SliceChoice{References: b.References, Items: b.Items, Objects: b.Objects}
	if len(b.Scenes) > 0 {
		return c, remuda.Errorf(remuda.Invalid, "this server keeps no scenes").WithHint("name items or objects")
	}
	if !empty && len(b.References)+len(b.Items)+len(b.Objects) == 0 {
		return c, remuda.Errorf(remuda.Invalid, "a slice needs members").WithHint("send reference_ids, dataset_item_ids or object_ids, or allow_empty")
	}
	return c, nil
}

func createSlice(s *Server, r *request) (any, error) {
	var body sliceBody
	if err := r.json(&body); err != nil {
		return nil, err
	}
	allowed := body.AllowEmpty == true || body.AllowEmpty == 1.0
	choice, err := body.choice(allowed)
	if err != nil {
		return nil, err
	}
	made, err := s.Flow.CreateSlice(r.Context(), r.caller, r.param("ds"), flow.NewSlice{Name: body.Name, Choice: choice})
	return map[string]any{"slice_id": made.ID}, err
}

func appendToSlice(s *Server, r *request) (any, error) {
	var body struct {
		sliceBody
		Dataset *string `json:"dataset_id"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Dataset != nil {
		to, err := s.Flow.Slice(r.Context(), r.caller, r.param("slc"))
		if err != nil {
			return nil, err
		}
		if to.Dataset != *body.Dataset {
			return nil, remuda.Errorf(remuda.Invalid, "slice %s is not of dataset %.80s", to.ID, *body.Dataset).WithHint("a slice has items of one dataset")
		}
	}
	choice, err := body.choice(false)
	if err != nil {
		return nil, err
	}
	added, err := s.Flow.AppendToSlice(r.Context(), r.caller, r.param("slc"), choice)
	ids := make([]string, len(added))
	for i, m := range added {
		ids[i] = m.Item
		if m.Annotation != "" {
			ids[i] = m.Annotation
		}
	}
	return map[string]any{"slice_id": r.param("slc"), "new_items": ids}, err
}

// buildSlice takes a sample. Built again under the same name, a random one is the same.
func buildSlice(s *Server, r *request) (any, error) {
	var body struct {
		Name    string `json:"name"`
		Size    int    `json:"sampleSize"`
		Method  string `json:"sampleMethod"`
		Filters struct {
			Slice   string `json:"sliceId"`
			Autotag any    `json:"autotag"`
		} `json:"filters"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	sample := flow.Sample{Size: body.Size, Seed: seedOf(body.Name)}
	switch {
	case body.Filters.Autotag != nil:
		return nil, remuda.Errorf(remuda.Invalid, "this server keeps no autotags").WithHint("leave the autotag out")
	case body.Method == "Uniqueness":
		sample.Distinct = true
	case body.Method != "Random":
		return nil, remuda.Errorf(remuda.Invalid, "there is no way of sampling %.80q", body.Method).WithHint("use Random or Uniqueness")
	}
	choice := flow.SliceChoice{All: true, Sample: &sample}
	if body.Filters.Slice != "" {
		choice.Combine = &flow.Combination{Op: "union", Slices: []string{body.Filters.Slice}}
	}
	made, err := s.Flow.CreateSlice(r.Context(), r.caller, r.param("ds"), flow.NewSlice{Name: body.Name, Choice: choice})
	return map[string]any{"sliceId": made.ID}, err
}

func seedOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return h.Sum64()
}

// sliceType reads a type as every version of the client writes it: newer
// Pythons send the name of the enumeration's member.
func sliceType(text string) (string, error) {
	if member, named := strings.CutPrefix(text, "SliceType."); named {
		text = strings.ToLower(member)
	}
	switch text {
	case "", store.SliceOfItems, store.SliceOfObjects, store.SliceOfScenes:
		return text, nil
	}
	return "", remuda.Errorf(remuda.Invalid, "there is no type of slices %.80q", text).WithHint("use dataset_item, object or scene")
}

func sliceJSON(o flow.SliceOverview) map[string]any {
	return map[string]any{
		"id": o.ID, "slice_id": o.ID, "name": o.Name, "dataset_id": o.Dataset, "type": o.Type, "description": o.Description, "tags": o.Tags,
		"created_at": remuda.FormatTime(o.CreatedAt), "pending_job_count": 0,
	}
}

func (s *Server) slices(r *request, filter store.SliceFilter) (any, error) {
	found, err := s.Flow.Slices(r.Context(), r.caller, filter)
	return list(found, sliceJSON), err
}

func datasetSlices(s *Server, r *request) (any, error) {
	query := r.URL.Query()
	typ, err := sliceType(query.Get("type"))
	if err != nil {
		return nil, err
	}
	return s.slices(r, store.SliceFilter{Dataset: r.param("ds"), Name: query.Get("name"), Type: typ})
}

func allSlices(s *Server, r *request) (any, error) { return s.slices(r, store.SliceFilter{}) }

func sliceInfo(s *Server, r *request) (any, error) {
	o, err := s.Flow.Slice(r.Context(), r.caller, r.param("slc"))
	return sliceJSON(o), err
}

// memberJSON writes a member of a slice: an item, or an annotation or prediction.
func (s *Server) memberJSON(r *request, m flow.SliceMember) (any, error) {
	if m.Annotation != nil {
		return annotationJSON(*m.Annotation, m.Item.ReferenceID), nil
	}
	return s.itemJSON(r, m.Item, false)
}

// writeMembers writes all members of a slice as a JSON array.
func (s *Server) writeMembers(r *request, out *bufio.Writer, wire func(flow.SliceMember) (any, error)) error {
	return writeAll(out, func(after int64) ([]flow.SliceMember, error) {
		return s.Flow.SliceMembers(r.Context(), r.caller, r.param("slc"), after, window)
	}, func(m flow.SliceMember) (any, int64, error) {
		written, err := wire(m)
		return written, m.Position, err
	})
}

func sliceItems(s *Server, r *request) (any, error) {
	o, err := s.Flow.Slice(r.Context(), r.caller, r.param("slc"))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(sliceJSON(o))
	return stream(func(out *bufio.Writer) error {
		out.Write(text[:len(text)-1]) // without the brace at its end
		out.WriteString(`,"items":`)
		err := s.writeMembers(r, out, func(m flow.SliceMember) (any, error) { return s.memberJSON(r, m) })
		out.WriteString("}")
		return err
	}), err
}

func sliceItemsPage(s *Server, r *request) (any, error) {
	after, size, err := r.page()
	if err != nil {
		return nil, err
	}
	members, err := s.Flow.SliceMembers(r.Context(), r.caller, r.param("slc"), after, size+1)
	if err != nil {
		return nil, err
	}
	members, next := pageOf(members, size, func(m flow.SliceMember) string { return at(m.Position) })
	wire := make([]any, len(members))
	for i, m := range members {
		if wire[i], err = s.memberJSON(r, m); err != nil {
			return nil, err
		}
	}
	return map[string]any{"items": wire, "nextPageToken": next}, nil
}

func deleteSlice(s *Server, r *request) (any, error) {
	err := s.Flow.DeleteSlice(r.Context(), r.caller, r.param("slc"))
	return map[string]any{"slice_id": r.param("slc"), "message": "Slice deleted."}, err
}

func tagSlice(s *Server, r *request) (any, error) {
	var body struct {
		Tags []string `json:"slice_tags"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	tags, err := s.Flow.ChangeSliceTags(r.Context(), r.caller, r.param("slc"), body.Tags, nil)
	return map[string]any{"slice_id": r.param("slc"), "tags": tags}, err
}

func sliceClassLabels(s *Server, r *request) (any, error) {
	names, err := s.Flow.SliceCategories(r.Context(), r.caller, r.param("slc"))
	return map[string]any{"data": names}, err
}

func exportRawItems(s *Server, r *request) (any, error) {
	return stream(func(out *bufio.Writer) error {
		out.WriteString(`{"raw_dataset_items":`)
		err := s.writeMembers(r, out, func(m flow.SliceMember) (any, error) {
			item, err := s.itemJSON(r, m.Item, true)
			return map[string]any{
				"id": item.ID, "ref_id": item.RefID, "metadata": item.Metadata, "original_url": item.ImageURL, "scale_url": orText(item.ProcessedURL, item.ImageURL),
			}, err
		})
		out.WriteString("}")
		return err
	}), nil
}

func orText(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
