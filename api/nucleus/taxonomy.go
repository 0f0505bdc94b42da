package nucleus

import (
	"remuda/flow"
	"remuda/store"
)

func taxonomyRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/add_taxonomy":         addTaxonomy,
		"DELETE dataset/{ds}/taxonomy/{name...}": deleteTaxonomy,
		"GET dataset/{ds}/class_labels":          classLabels,
		"GET dataset/{ds}/labelSchema":           labelSchema,
	}
}

func addTaxonomy(s *Server, r *request) (any, error) {
	var body struct {
		Name   string   `json:"taxonomy_name"`
		Type   string   `json:"type"`
		Labels []string `json:"labels"`
		Update bool     `json:"update"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	t := store.Taxonomy{Dataset: r.param("ds"), Name: body.Name, Type: body.Type, Labels: body.Labels}
	done, err := s.Flow.AddTaxonomy(r.Context(), r.caller, t, body.Update)
	status := map[flow.TaxonomyChange]string{
		flow.TaxonomyCreated: "Taxonomy created", flow.TaxonomyExists: "Taxonomy already exists", flow.TaxonomyUpdated: "Taxonomy updated",
	}[done]
	return taxonomyStatus(t.Dataset, t.Name, status), err
}

func taxonomyStatus(dataset, name, status string) map[string]string {
	return map[string]string{"dataset_id": dataset, "taxonomy_name": name, "status": status}
}

func deleteTaxonomy(s *Server, r *request) (any, error) {
	err := s.Flow.DeleteTaxonomy(r.Context(), r.caller, r.param("ds"), r.param("name"))
	return taxonomyStatus(r.param("ds"), r.param("name"), "Taxonomy successfully deleted"), err
}

func classLabels(s *Server, r *request) (any, error) {
	labels, err := s.Flow.ClassLabels(r.Context(), r.caller, r.param("ds"), false)
	return map[string][]string{"data": labels}, err
}

func labelSchema(s *Server, r *request) (any, error) {
	truth, err := s.Flow.ClassLabels(r.Context(), r.caller, r.param("ds"), false)
	if err != nil {
		return nil, err
	}
	predicted, err := s.Flow.ClassLabels(r.Context(), r.caller, r.param("ds"), true)
	return map[string][]string{"gt_labels": truth, "prediction_labels": predicted}, err
}
