package own

import (
	"context"

	"remuda/store"
	"remuda/wire"
)

// OfTaxonomy names a taxonomy of a dataset in the path.
type OfTaxonomy struct {
	OfDataset
	Taxonomy string `path:"taxonomy" doc:"The taxonomy's name."`
}

func (s *Server) taxonomyRoutes() {
	handle(s, route{at: "GET /datasets/{dataset}/taxonomies", id: "listTaxonomies", summary: "List a dataset's taxonomies"}, s.taxonomies)
	act(s, route{at: "PUT /datasets/{dataset}/taxonomies/{taxonomy}", id: "putTaxonomy", summary: "Make a taxonomy, or add labels to it"}, func(ctx context.Context, c *call, in *struct {
		OfTaxonomy
		Body wire.PutTaxonomy
	},
	) error {
		t := store.Taxonomy{Dataset: in.Dataset, Name: in.Taxonomy, Type: in.Body.Type, Labels: in.Body.Labels}
		_, err := s.Flow.AddTaxonomy(ctx, c.caller, t, true)
		return err
	})
	act(s, route{
		at: "DELETE /datasets/{dataset}/taxonomies/{taxonomy}", id: "deleteTaxonomy", summary: "Delete a taxonomy",
		about: "And the annotations and predictions that name it; their revisions stay in the history.",
	}, func(ctx context.Context, c *call, in *OfTaxonomy) error {
		return s.Flow.DeleteTaxonomy(ctx, c.caller, in.Dataset, in.Taxonomy)
	})
}

func (s *Server) taxonomies(ctx context.Context, c *call, in *OfDataset) (wire.Taxonomies, error) {
	found, err := s.Flow.Taxonomies(ctx, c.caller, in.Dataset)
	return wire.Taxonomies{Taxonomies: list(found, func(t store.Taxonomy) wire.Taxonomy {
		return wire.Taxonomy{Name: t.Name, Type: t.Type, Labels: texts(t.Labels)}
	})}, err
}
