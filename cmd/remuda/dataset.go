package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

type datasetCmd struct {
	Create     datasetCreateCmd     `cmd:"" help:"Make an empty dataset and print its id."`
	Ls         datasetLsCmd         `cmd:"" help:"List the datasets."`
	Show       datasetShowCmd       `cmd:"" help:"Show what there is of a dataset."`
	Rename     datasetRenameCmd     `cmd:"" help:"Rename a dataset."`
	Upload     datasetUploadCmd     `cmd:"" help:"Send the images of a folder; what is there already is not sent again."`
	Import     datasetImportCmd     `cmd:"" help:"Import COCO, Pascal VOC or YOLO labels, with their images or for images that are there."`
	Export     datasetExportCmd     `cmd:"" help:"Write a dataset's boxes, and its images, as COCO, Pascal VOC or YOLO, read back and compared."`
	Lint       datasetLintCmd       `cmd:"" help:"List what is wrong with a dataset's boxes, and mend it."`
	Duplicates datasetDuplicatesCmd `cmd:"" help:"List images that are nearly the same."`
	History    datasetHistoryCmd    `cmd:"" help:"List who changed an image's boxes, and when."`
	Restore    datasetRestoreCmd    `cmd:"" help:"Make boxes what they were at a time; nothing drawn since is lost."`
	Delete     datasetDeleteCmd     `cmd:"" help:"Delete a dataset."`
}

// ofDataset is a dataset that a command is about.
type ofDataset struct {
	server
	Dataset string `arg:"" help:"The dataset's id or name."`
}

// open returns a client and the dataset's id.
func (o ofDataset) open(m *Main) (c *client.Client, id string, err error) {
	if c, err = o.client(m); err != nil {
		return nil, "", err
	}
	id, err = datasetID(m.ctx, c, o.Dataset)
	return c, id, err
}

type datasetCreateCmd struct {
	server
	Name string `arg:"" help:"The dataset's name."`
}

// Run makes a dataset.
func (c *datasetCreateCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	others, err := datasetsNamed(m.ctx, to, c.Name)
	if err == nil {
		err = unused("dataset", c.Name, others)
	}
	if err != nil {
		return err
	}
	made, err := to.CreateDataset(m.ctx, wire.NewDataset{Name: c.Name})
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(made)
	}
	fmt.Fprintln(m.Stdout, made.ID)
	return nil
}

type datasetLsCmd struct{ server }

// Run lists the datasets.
func (c *datasetLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	all, err := from.Datasets(m.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tCREATED")
	for _, d := range all.Datasets {
		fmt.Fprintf(table, "%s\t%s\t%s\n", d.ID, d.Name, local(d.CreatedAt))
	}
	return table.Flush()
}

// local writes a time in the zone of whoever reads it.
func local(t wire.Time) string {
	at, err := t.Time()
	if err != nil {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

type datasetShowCmd struct{ ofDataset }

// Run shows a dataset.
func (c *datasetShowCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	o, err := from.Dataset(m.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(o)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "id\t%s\nname\t%s\ncreated\t%s\nimages\t%d\ncategories\t%s\nslices\t%d\nruns\t%d\ntags\t%s\n",
		o.ID, o.Name, local(o.CreatedAt), o.Items, strings.Join(o.Categories, ", "), len(o.Slices), len(o.Runs), strings.Join(o.Tags, ", "))
	return table.Flush()
}

type datasetRenameCmd struct {
	ofDataset
	Name string `arg:"" help:"The new name."`
}

// Run renames a dataset.
func (c *datasetRenameCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	renamed, err := to.RenameDataset(m.ctx, id, wire.NewDataset{Name: c.Name})
	if err != nil || !c.JSON {
		return err
	}
	return m.printJSON(renamed)
}

type datasetLintCmd struct {
	ofDataset
	Fix bool `help:"Mend what one call can mend: clip boxes, drop empty and double ones."`
}

// Run lists findings and mends them.
func (c *datasetLintCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	found, err := from.LintDataset(m.ctx, id)
	if err != nil {
		return err
	}
	out := struct {
		wire.Findings
		Fixed *wire.Fixed `json:"fixed,omitempty"`
	}{Findings: found}
	if c.Fix {
		fixed, err := fixAll(m.ctx, from, id, found)
		if err != nil {
			return err
		}
		out.Fixed = &fixed
	}
	if c.JSON {
		return m.printJSON(out)
	}
	printFindings(m, found)
	if out.Fixed != nil {
		fmt.Fprintf(m.Stdout, "mended %s\n", count(out.Fixed.Fixed, "finding"))
		for _, p := range out.Fixed.Problems {
			fmt.Fprintf(m.Stdout, "not mended: %s: %s\n", p.Location, p.Message)
		}
	}
	return nil
}

// fixAll mends all findings that can be, some at a time.
func fixAll(ctx context.Context, c *client.Client, dataset string, found wire.Findings) (sum wire.Fixed, err error) {
	var ids []string
	for _, f := range found.Findings {
		if f.ID != "" {
			ids = append(ids, f.ID)
		}
	}
	for chunk := range slices.Chunk(ids, 500) {
		fixed, err := c.FixFindings(ctx, dataset, wire.FixFindings{Findings: chunk})
		if err != nil {
			return sum, err
		}
		sum.Fixed += fixed.Fixed
		sum.Problems = append(sum.Problems, fixed.Problems...)
	}
	return sum, nil
}

func printFindings(m *Main, found wire.Findings) {
	if len(found.Findings) == 0 {
		fmt.Fprintln(m.Stdout, "nothing is wrong")
		return
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(found.Counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", found.Counts[kind], strings.ReplaceAll(kind, "_", " ")))
	}
	fmt.Fprintf(m.Stdout, "findings: %s\n", strings.Join(parts, ", "))
	for i, f := range found.Findings {
		if i == shownFindings {
			fmt.Fprintf(m.Stdout, "  and %d more: --json lists them\n", len(found.Findings)-shownFindings)
			return
		}
		line := "  "
		if f.ReferenceID != "" {
			line += f.ReferenceID + ": "
		}
		if line += f.Message; f.Fix != "" {
			line += " (--fix: " + f.Fix + ")"
		}
		fmt.Fprintln(m.Stdout, line)
	}
}

type datasetDuplicatesCmd struct {
	ofDataset
	Threshold int `help:"Bits of 64 by which the perceptual hashes of two images differ at most." default:"10"`
}

// Run lists near-duplicates, a group a line.
func (c *datasetDuplicatesCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	found, err := from.Duplicates(m.ctx, id, c.Threshold)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(found)
	}
	for _, g := range found.Groups {
		names := make([]string, len(g.Others))
		for i, other := range g.Others {
			names[i] = other.ReferenceID
		}
		fmt.Fprintf(m.Stdout, "%s: %s\n", g.Keep.ReferenceID, strings.Join(names, ", "))
	}
	fmt.Fprintf(m.Stdout, "%s of near-duplicates\n", count(len(found.Groups), "group"))
	return nil
}

type datasetHistoryCmd struct {
	ofDataset
	Item string `arg:"" help:"The image's id or reference id."`
}

// Run lists the revisions of an item's annotations.
func (c *datasetHistoryCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	item, err := itemNamed(m.ctx, from, id, c.Item)
	if err != nil {
		return err
	}
	found, err := from.History(m.ctx, item.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(found)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tWHO\tSOURCE\tANNOTATION\tREVISION\tTYPE\tCATEGORY\tBOX\tENDED")
	for _, a := range found.Annotations {
		corners := "-"
		if a.Box != nil {
			corners = fmt.Sprintf("%.1f %.1f %.1f %.1f", a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", local(a.CreatedAt), found.Names[a.CreatedBy], a.Source, a.ID, a.Revision, a.Type, a.Category, corners, local(a.EndedAt))
	}
	return table.Flush()
}

type datasetRestoreCmd struct {
	ofDataset
	At   string `required:"" help:"The time, 2026-01-31T12:00:00Z, or how long ago: 2h, 90m." placeholder:"TIME"`
	Item string `help:"Only this image, by id or reference id." placeholder:"ITEM"`
}

// Run restores an item or a whole dataset.
func (c *datasetRestoreCmd) Run(m *Main) error {
	at, err := moment(c.At, time.Now())
	if err != nil {
		return err
	}
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	if c.Item != "" {
		item, err := itemNamed(m.ctx, to, id, c.Item)
		if err != nil {
			return err
		}
		restored, err := to.RestoreItem(m.ctx, item.ID, wire.Restore{At: wire.NewTime(at)})
		if err != nil {
			return err
		}
		if c.JSON {
			return m.printJSON(restored)
		}
		fmt.Fprintf(m.Stdout, "%s changed\n", count(restored.Changed, "annotation"))
		return nil
	}
	job, err := to.RestoreDataset(m.ctx, id, wire.Restore{At: wire.NewTime(at)})
	if err != nil {
		return err
	}
	return m.finishRestore(to, job, c.JSON)
}

// moment reads a time, or how long ago it was.
func moment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago.Abs()), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, remuda.Errorf(remuda.Invalid, "%q is no time", text).WithHint("write it like 2026-01-31T12:00:00Z, or as 2h for two hours ago")
}

// finishRestore waits for the job that restores a dataset and prints what it changed.
func (m *Main) finishRestore(c *client.Client, job wire.Job, asJSON bool) error {
	bar := m.newBar()
	done, err := c.WaitJob(m.ctx, job.ID, func(j wire.Job) {
		if j.Total > 0 && !asJSON {
			bar.update(float64(j.Done)/float64(j.Total), "restoring", fmt.Sprintf("%d of %d", j.Done, j.Total))
		}
	})
	bar.clear()
	if err != nil {
		return m.interruptedOr(err)
	}
	if asJSON {
		return m.printJSON(done)
	}
	var restored wire.Restored
	if err := json.Unmarshal(done.Result, &restored); err != nil {
		return fmt.Errorf("read what was restored: %w", err)
	}
	fmt.Fprintf(m.Stdout, "%s changed\n", count(restored.Changed, "annotation"))
	return nil
}

type datasetDeleteCmd struct {
	ofDataset
	Yes bool `help:"Don't ask for the name."`
}

// Run deletes a dataset, if the caller means it.
func (c *datasetDeleteCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	d, err := to.Dataset(m.ctx, id)
	if err != nil {
		return err
	}
	if !c.Yes {
		return remuda.Errorf(remuda.Invalid, "this deletes dataset %q with %s and cannot be undone", d.Name, count(int(d.Items), "image")).WithHint("add --yes if you mean it")
	}
	job, err := to.DeleteDataset(m.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(job)
	}
	fmt.Fprintf(m.Stdout, "deleted %s\n", d.Name)
	return nil
}
