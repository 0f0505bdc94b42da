package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

type sliceCmd struct {
	Create sliceCreateCmd `cmd:"" help:"Make a slice of a dataset: by a filter, a list, a set operation, a sample; print its id."`
	Sample sliceSampleCmd `cmd:"" help:"Make a slice of a part of a slice; print its id."`
	Ls     sliceLsCmd     `cmd:"" help:"List slices."`
	Show   sliceShowCmd   `cmd:"" help:"Show a slice."`
	Rename sliceRenameCmd `cmd:"" help:"Rename a slice."`
	Add    sliceAddCmd    `cmd:"" help:"Add images to a slice."`
	Remove sliceRemoveCmd `cmd:"" help:"Take images out of a slice."`
	Freeze sliceFreezeCmd `cmd:"" help:"Pin a slice's images and boxes for ever, and print the content hash."`
	Lint   sliceLintCmd   `cmd:"" help:"List what is wrong with a slice's boxes, or which images it shares with another."`
	Export sliceExportCmd `cmd:"" help:"Write a slice's boxes, and its images, as COCO, Pascal VOC or YOLO, read back and compared."`
	Delete sliceDeleteCmd `cmd:"" help:"Delete a slice; its images stay in the dataset."`
}

// ofSlice is a slice that a command is about.
type ofSlice struct {
	server
	Slice string `arg:"" help:"The slice's id or name."`
}

func (o ofSlice) open(m *Main) (c *client.Client, id string, err error) {
	if c, err = o.client(m); err != nil {
		return nil, "", err
	}
	id, err = sliceID(m.ctx, c, o.Slice)
	return c, id, err
}

// choosing says which images.
type choosing struct {
	Filter       string   `help:"Those that a filter chooses: 'any annotation (category = horse) and width > 640'." placeholder:"FILTER"`
	Boxes        bool     `help:"The filter chooses boxes, and the slice holds them."`
	Within       string   `help:"The filter looks at this slice only." placeholder:"SLICE"`
	All          bool     `help:"The whole dataset."`
	List         string   `help:"Those whose reference ids or ids stand in a file, one a line; - for standard input." placeholder:"FILE"`
	Union        []string `help:"Those of any of these slices." placeholder:"SLICE,…" xor:"set"`
	Intersection []string `help:"Those of all of these slices." placeholder:"SLICE,…" xor:"set"`
	Difference   []string `help:"Those of the first of these slices that are in none of the others." placeholder:"SLICE,…" xor:"set"`
}

type sampling struct {
	Size       int    `name:"sample" help:"Take so many of them at random." placeholder:"N"`
	Seed       uint64 `help:"The same seed takes the same images."`
	ByCategory bool   `help:"Categories keep their share in the sample."`
	Distinct   bool   `help:"Take those that differ most instead of random ones."`
}

func (s sampling) sample() *wire.Sample {
	if s.Size == 0 {
		return nil
	}
	return &wire.Sample{Size: s.Size, Seed: s.Seed, ByCategory: s.ByCategory, Distinct: s.Distinct}
}

// choice is what the flags say.
func (c choosing) choice(ctx context.Context, from *client.Client) (out wire.Choice, err error) {
	out = wire.Choice{Filter: c.Filter, All: c.All}
	if c.Boxes {
		out.Level = "box"
	}
	if c.Within != "" {
		if out.Within, err = sliceID(ctx, from, c.Within); err != nil {
			return out, err
		}
	}
	for op, named := range map[string][]string{"union": c.Union, "intersection": c.Intersection, "difference": c.Difference} {
		if len(named) == 0 {
			continue
		}
		out.Combine = &wire.Combination{Op: op}
		for _, name := range named {
			id, err := sliceID(ctx, from, name)
			if err != nil {
				return out, err
			}
			out.Combine.Slices = append(out.Combine.Slices, id)
		}
	}
	if c.List != "" {
		return out, c.readList(&out)
	}
	return out, nil
}

// readList reads names of images, one a line.
func (c choosing) readList(into *wire.Choice) error {
	var in io.Reader = os.Stdin
	if c.List != "-" {
		f, err := os.Open(c.List)
		if err != nil {
			return remuda.Errorf(remuda.Invalid, "read the list of images: %w", err).WithHint("check --list")
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch line := strings.TrimSpace(lines.Text()); {
		case line == "":
		case isID(line, "di"):
			into.Items = append(into.Items, line)
		default:
			into.References = append(into.References, line)
		}
	}
	if err := lines.Err(); err != nil {
		return remuda.Errorf(remuda.Invalid, "read the list of images: %w", err).WithHint("write one a line")
	}
	if len(into.Items)+len(into.References) == 0 {
		return remuda.Errorf(remuda.Invalid, "the list of images has no names").WithHint("write one a line")
	}
	return nil
}

// chunks cuts a long list into choices that one call takes; the last has all else that was chosen.
func chunks(c wire.Choice) []wire.Choice {
	const most = 5000
	var out []wire.Choice
	for len(c.References) > most {
		out = append(out, wire.Choice{References: c.References[:most]})
		c.References = c.References[most:]
	}
	for len(c.Items) > most {
		out = append(out, wire.Choice{Items: c.Items[:most]})
		c.Items = c.Items[most:]
	}
	return append(out, c)
}

type sliceCreateCmd struct {
	server
	choosing
	sampling
	Dataset     string `arg:"" help:"The dataset's id or name."`
	Name        string `arg:"" help:"The slice's name."`
	Description string `help:"What it is for."`
	Freeze      bool   `help:"Freeze it."`
}

// Run makes a slice.
func (c *sliceCreateCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	dataset, err := datasetID(m.ctx, to, c.Dataset)
	if err != nil {
		return err
	}
	choice, err := c.choice(m.ctx, to)
	if err != nil {
		return err
	}
	choice.Sample = c.sample()
	parts := chunks(choice)
	if len(parts) > 1 && choice.Sample != nil {
		return remuda.Errorf(remuda.Invalid, "a sample of so long a list can't be taken").WithHint("make a slice of the list first, then `remuda slice sample` of it")
	}
	made, err := newSlice(m.ctx, to, dataset, wire.NewSlice{Name: c.Name, Description: c.Description, Choice: parts[0]})
	if err != nil {
		return err
	}
	for _, part := range parts[1:] {
		if _, err := to.AddToSlice(m.ctx, made.ID, part); err != nil {
			return err
		}
	}
	if c.Filter != "" && made.Members == 0 {
		fmt.Fprintf(m.Stderr, "remuda: nothing is as the filter says: slice %q is empty\n", c.Name)
	}
	return c.made(m, to, made.ID, c.Freeze)
}

// newSlice makes a slice whose name no other slice of the dataset has.
func newSlice(ctx context.Context, c *client.Client, dataset string, n wire.NewSlice) (made wire.Slice, err error) {
	others, err := slicesNamed(ctx, c, dataset, n.Name)
	if err == nil {
		err = unused("slice", n.Name, others)
	}
	if err != nil {
		return made, err
	}
	return c.CreateSlice(ctx, dataset, n)
}

// made freezes a new slice, if it is to be, and prints it.
func (s server) made(m *Main, c *client.Client, id string, freeze bool) error {
	if freeze {
		if _, err := c.FreezeSlice(m.ctx, id); err != nil {
			return err
		}
	}
	if !s.JSON {
		fmt.Fprintln(m.Stdout, id)
		return nil
	}
	made, err := c.Slice(m.ctx, id)
	if err != nil {
		return err
	}
	return m.printJSON(made)
}

type sliceSampleCmd struct {
	ofSlice
	Name       string `arg:"" help:"The new slice's name."`
	Size       int    `required:"" help:"How many images." placeholder:"N"`
	Seed       uint64 `help:"The same seed takes the same images."`
	ByCategory bool   `help:"Categories keep their share."`
	Distinct   bool   `help:"Take those that differ most instead of random ones."`
	Freeze     bool   `help:"Freeze it."`
}

// Run makes a slice of a part of another.
func (c *sliceSampleCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	from, err := to.Slice(m.ctx, id)
	if err != nil {
		return err
	}
	made, err := newSlice(m.ctx, to, from.Dataset, wire.NewSlice{Name: c.Name, Choice: wire.Choice{
		Combine: &wire.Combination{Op: "union", Slices: []string{id}},
		Sample:  &wire.Sample{Size: c.Size, Seed: c.Seed, ByCategory: c.ByCategory, Distinct: c.Distinct},
	}})
	if err != nil {
		return err
	}
	return c.made(m, to, made.ID, c.Freeze)
}

type sliceLsCmd struct {
	server
	Dataset string `arg:"" optional:"" help:"Only those of this dataset, by id or name."`
}

// Run lists slices.
func (c *sliceLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	dataset := ""
	if c.Dataset != "" {
		if dataset, err = datasetID(m.ctx, from, c.Dataset); err != nil {
			return err
		}
	}
	all, err := from.Slices(m.ctx, dataset, "")
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tDATASET\tMEMBERS\tFROZEN\tCREATED")
	for _, s := range all.Slices {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", s.ID, s.Name, s.Dataset, s.Members, short(s.Frozen), local(s.CreatedAt))
	}
	return table.Flush()
}

// short begins a hash.
func short(hash string) string {
	if hash == "" {
		return "-"
	}
	return hash[:min(12, len(hash))]
}

type sliceShowCmd struct{ ofSlice }

// Run shows a slice.
func (c *sliceShowCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	s, err := from.Slice(m.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(s)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	frozen := s.Frozen
	if frozen == "" {
		frozen = "-"
	}
	fmt.Fprintf(table, "id\t%s\nname\t%s\ndescription\t%s\ndataset\t%s\nof\t%s\nmembers\t%d\nfrozen\t%s\ntags\t%s\ncreated\t%s\n",
		s.ID, s.Name, s.Description, s.Dataset, strings.ReplaceAll(s.Type, "_", " "), s.Members, frozen, strings.Join(s.Tags, ", "), local(s.CreatedAt))
	return table.Flush()
}

type sliceRenameCmd struct {
	ofSlice
	Name string `arg:"" help:"The new name."`
}

// Run renames a slice.
func (c *sliceRenameCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	old, err := to.Slice(m.ctx, id)
	if err != nil {
		return err
	}
	renamed, err := to.RenameSlice(m.ctx, id, wire.SliceChange{Name: c.Name, Description: old.Description})
	if err != nil || !c.JSON {
		return err
	}
	return m.printJSON(renamed)
}

type sliceAddCmd struct {
	ofSlice
	choosing
}

// Run adds to a slice.
func (c *sliceAddCmd) Run(m *Main) error {
	return c.change(m, c.choosing, func(to *client.Client, id string, part wire.Choice) (int64, error) {
		done, err := to.AddToSlice(m.ctx, id, part)
		return int64(done.Added), err
	}, "added")
}

type sliceRemoveCmd struct {
	ofSlice
	choosing
}

// Run takes members out of a slice.
func (c *sliceRemoveCmd) Run(m *Main) error {
	return c.change(m, c.choosing, func(to *client.Client, id string, part wire.Choice) (int64, error) {
		done, err := to.RemoveFromSlice(m.ctx, id, part)
		return done.Removed, err
	}, "removed")
}

// change adds or removes what is chosen.
func (o ofSlice) change(m *Main, chosen choosing, do func(*client.Client, string, wire.Choice) (int64, error), what string) error {
	to, id, err := o.open(m)
	if err != nil {
		return err
	}
	choice, err := chosen.choice(m.ctx, to)
	if err != nil {
		return err
	}
	sum := int64(0)
	for _, part := range chunks(choice) {
		n, err := do(to, id, part)
		if err != nil {
			return err
		}
		sum += n
	}
	if o.JSON {
		return m.printJSON(map[string]int64{what: sum})
	}
	fmt.Fprintf(m.Stdout, "%s %s\n", count(int(sum), "member"), what)
	return nil
}

type sliceFreezeCmd struct{ ofSlice }

// Run freezes a slice.
func (c *sliceFreezeCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	frozen, err := to.FreezeSlice(m.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(frozen)
	}
	fmt.Fprintln(m.Stdout, frozen.Hash)
	return nil
}

type sliceLintCmd struct {
	ofSlice
	Train string `help:"List the images that are in this slice too, which a model learns from." placeholder:"SLICE"`
	Fix   bool   `help:"Mend what one call can mend; with --train, take the shared images out."`
}

// Run lists findings.
func (c *sliceLintCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	train := ""
	if c.Train != "" {
		if train, err = sliceID(m.ctx, from, c.Train); err != nil {
			return err
		}
	}
	found, err := from.LintSlice(m.ctx, id, train)
	if err != nil {
		return err
	}
	if c.Fix {
		s, err := from.Slice(m.ctx, id)
		if err != nil {
			return err
		}
		fixed, err := fixAll(m.ctx, from, s.Dataset, found)
		if err != nil {
			return err
		}
		if !c.JSON {
			defer fmt.Fprintf(m.Stdout, "mended %s\n", count(fixed.Fixed, "finding"))
		}
	}
	if c.JSON {
		return m.printJSON(found)
	}
	printFindings(m, found)
	return nil
}

type sliceExportCmd struct {
	ofSlice
	exportFlags
}

// Run exports a slice.
func (c *sliceExportCmd) Run(m *Main) error {
	from, id, err := c.open(m)
	if err != nil {
		return err
	}
	return m.export(c.exportFlags, c.JSON, exportSource{
		labels: func(w io.Writer) (wire.Proof, error) { return from.ExportSlice(m.ctx, id, c.To, w) },
		items: func(ctx context.Context, page client.Page) (wire.Items, error) {
			return from.SliceItems(ctx, id, page, true)
		},
		client: from,
	})
}

type sliceDeleteCmd struct{ ofSlice }

// Run deletes a slice.
func (c *sliceDeleteCmd) Run(m *Main) error {
	to, id, err := c.open(m)
	if err != nil {
		return err
	}
	return to.DeleteSlice(m.ctx, id)
}
