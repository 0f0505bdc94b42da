package store

import (
	"encoding/json"
	"reflect"
	"testing"

	"remuda"
	"remuda/geom"
)

func TestBoxesAreReadAsLabelFilesHaveThem(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset, items := annotated(t, db, 3)
		crowd := drawn("b", "cow", 2)
		crowd.Crowd, crowd.Body = true, json.RawMessage(`{"area":12.5}`)
		write(t, db, func(tx *Tx) error {
			_, _, err := tx.PutAnnotations(items[0], "", []Annotation{
				drawn("a", "horse", 0.1), crowd, {Type: TypeCategory, Category: "day"}, {Type: TypePolygon, Key: "p", Category: "pig", Box: &geom.Box{X1: 1, Y1: 1}},
			}, false)
			if err != nil {
				return err
			}
			_, _, err = tx.PutAnnotations(items[0], "run_1", []Annotation{drawn("a", "horse", 7)}, false)
			return err
		})
		write(t, db, func(tx *Tx) error {
			found, err := tx.BoxesOf(items, "")
			list := found[items[0]]
			if len(found) != 1 || len(list) != 2 || list[0].Box != *drawn("", "", 0.1).Box || list[0].Area != 0 || list[1].Area != 12.5 || !list[1].Crowd || list[1].Category != "cow" {
				t.Errorf("boxes %+v", found)
			}
			if err != nil {
				return err
			}
			predicted, err := tx.BoxesOf(items, "run_1")
			if len(predicted[items[0]]) != 1 {
				t.Errorf("predicted boxes %+v", predicted)
			}
			if err != nil {
				return err
			}
			others, err := tx.CountOthers(items, "")
			if !reflect.DeepEqual(others, map[string]int{TypeCategory: 1, TypePolygon: 1}) {
				t.Errorf("other annotations %v", others)
			}
			if err != nil {
				return err
			}
			var names []string
			err = tx.ItemNames(dataset, func(n ItemName) error { names = append(names, n.ReferenceID); return nil })
			if !reflect.DeepEqual(names, []string{"h0.jpg", "h1.jpg", "h2.jpg"}) {
				t.Errorf("names %v", names)
			}
			return err
		})
	})
}

func TestTaxonomiesAndTheirAnnotations(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset, items := annotated(t, db, 2)
		write(t, db, func(tx *Tx) error {
			if err := tx.PutTaxonomy(Taxonomy{Dataset: dataset, Name: "time", Type: TypeCategory, Labels: []string{"day"}}); err != nil {
				return err
			}
			return tx.PutTaxonomy(Taxonomy{Dataset: dataset, Name: "time", Type: TypeCategory, Labels: []string{"day", "night"}})
		})
		for _, item := range items {
			write(t, db, func(tx *Tx) error {
				list := []Annotation{
					{Type: TypeCategory, Category: "day", Taxonomy: "time"}, {Type: TypeCategory, Category: "wet"},
					{Type: TypeMulticategory, Taxonomy: "time", Body: json.RawMessage(`{"labels":["dawn"]}`)},
				}
				for _, run := range []string{"", "run_1"} {
					if _, _, err := tx.PutAnnotations(item, run, list, false); err != nil {
						return err
					}
				}
				return nil
			})
		}
		labels := func(predictions bool) (names []string, bodies int) {
			t.Helper()
			write(t, db, func(tx *Tx) (err error) {
				bodies = 0
				if names, err = tx.ClassLabels(dataset, predictions); err != nil {
					return err
				}
				return tx.LabelsInBodies(dataset, predictions, func(json.RawMessage) error { bodies++; return nil })
			})
			return names, bodies
		}
		for _, predictions := range []bool{false, true} {
			if names, bodies := labels(predictions); !reflect.DeepEqual(names, []string{"day", "wet"}) || bodies != 2 {
				t.Errorf("labels %v and %d bodies", names, bodies)
			}
		}
		write(t, db, func(tx *Tx) error {
			found, err := tx.Taxonomies(dataset)
			if len(found) != 1 || !reflect.DeepEqual(found[0].Labels, []string{"day", "night"}) {
				t.Errorf("%+v", found)
			}
			if err != nil {
				return err
			}
			if err := tx.DeleteTaxonomy(dataset, "time"); err != nil {
				return err
			}
			return tx.EndTaxonomy(dataset, "time")
		})
		for _, predictions := range []bool{false, true} {
			if names, bodies := labels(predictions); !reflect.DeepEqual(names, []string{"wet"}) || bodies != 0 {
				t.Errorf("after the deletion: labels %v and %d bodies", names, bodies)
			}
		}
		write(t, db, func(tx *Tx) error {
			history, err := tx.History(items[0])
			if len(history) != 3 {
				t.Errorf("the history has %d revisions", len(history))
			}
			if err := tx.DeleteTaxonomy(dataset, "time"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a taxonomy is deleted twice: %v", err)
			}
			return err
		})
	})
}
