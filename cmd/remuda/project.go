package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

type projectCmd struct {
	Create       projectCreateCmd       `cmd:"" help:"Make a project and print its id."`
	Ls           projectLsCmd           `cmd:"" help:"List the projects."`
	Show         projectShowCmd         `cmd:"" help:"Show a project."`
	Instructions projectInstructionsCmd `cmd:"" help:"Print a project's instruction, list its versions, or write the next one."`
	Taxonomy     projectTaxonomyCmd     `cmd:"" help:"Print what a project's people may draw, or change it and list what that outdates."`
	Prices       projectPricesCmd       `cmd:"" help:"Show or set what a project's work is paid."`
	People       projectPeopleCmd       `cmd:"" help:"List a project's people and how they do, assign some, pause one or let them go on."`
	Quality      projectQualityCmd      `cmd:"" help:"List a project's quality tasks, or set how often people get one."`
	Archive      projectArchiveCmd      `cmd:"" help:"Put a project aside: nobody gets tasks of it, and all that there is stays."`
	Cost         projectCostCmd         `cmd:"" help:"Show the time and money that a project took, and what is left."`
}

// ofProject is a project that a command is about.
type ofProject struct {
	server
	Project string `arg:"" help:"The project's name or id."`
}

// read reads the project from the server.
func (o ofProject) read(m *Main) (to *client.Client, p wire.Project, err error) {
	if to, err = o.client(m); err != nil {
		return nil, p, err
	}
	p, err = to.Project(m.ctx, o.Project)
	return to, p, err
}

// planning is the way of tasks to their result.
type planning struct {
	Attempts    int     `help:"People who draw on each image, independently." placeholder:"N"`
	Reviews     int     `help:"Reviews after the attempts." placeholder:"N" default:"-1"`
	ReviewBelow float64 `help:"With several attempts: review only what they agree on less, 0 to 1." placeholder:"AGREEMENT"`
	Redo        bool    `help:"What an audit rejects is drawn anew."`
}

// plan is what the flags make of a plan; nil if they say nothing.
func (p planning) plan(from wire.Plan) *wire.Plan {
	if p.Attempts == 0 && p.Reviews < 0 && p.ReviewBelow == 0 && !p.Redo {
		return nil
	}
	if p.Attempts > 0 {
		from.Attempts = p.Attempts
	}
	if p.Reviews >= 0 {
		from.Reviews = p.Reviews
	}
	if p.ReviewBelow > 0 {
		from.ReviewBelow = p.ReviewBelow
	}
	from.Redo = from.Redo || p.Redo
	return &from
}

type projectCreateCmd struct {
	server
	planning
	Name        string   `arg:"" help:"The project's name, which never changes."`
	Dataset     string   `help:"The dataset that results go to where a task doesn't name an image of one." placeholder:"DATASET"`
	Category    []string `help:"What boxes are drawn around; may be repeated." placeholder:"NAME" xor:"taxonomy"`
	Taxonomy    string   `help:"What may be drawn and said about it, as JSON; project taxonomy prints that of a project." placeholder:"FILE" xor:"taxonomy"`
	Instruction string   `help:"What people are told, Markdown; - for standard input." placeholder:"FILE"`
}

// Run makes a project.
func (c *projectCreateCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	n := wire.NewProject{Name: c.Name}
	if c.Dataset != "" {
		if n.Dataset, err = datasetID(m.ctx, to, c.Dataset); err != nil {
			return err
		}
	}
	if n.Taxonomy, err = readTaxonomy(c.Taxonomy, c.Category); err != nil {
		return err
	}
	if c.Instruction != "" {
		text, err := readText(c.Instruction)
		if err != nil {
			return err
		}
		n.Instruction = string(text)
	}
	if plan := c.plan(wire.Plan{Attempts: 1}); plan != nil {
		n.Settings = &wire.ProjectSettings{Plan: *plan}
	}
	made, err := to.CreateProject(m.ctx, n)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(made)
	}
	fmt.Fprintln(m.Stdout, made.ID)
	return nil
}

// readTaxonomy reads a file, or makes a taxonomy of names; nil if there is neither.
func readTaxonomy(file string, names []string) (*wire.DrawTaxonomy, error) {
	if file == "" && len(names) == 0 {
		return nil, nil
	}
	var x wire.DrawTaxonomy
	for _, name := range names {
		x.Categories = append(x.Categories, wire.Category{Name: name})
	}
	if file == "" {
		return &x, nil
	}
	text, err := readText(file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read a taxonomy from %s: %w", file, err).WithHint(`write it like {"categories": [{"name": "horse"}]}`)
	}
	return &x, nil
}

// readText reads a file, or standard input if it is called -.
func readText(file string) ([]byte, error) {
	if file == "-" {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read standard input: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "%w", err).WithHint("name a file that is there, or - for standard input")
	}
	return text, nil
}

type projectLsCmd struct{ server }

// Run lists the projects.
func (c *projectLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	all, err := from.Projects(m.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tTYPE\tCATEGORIES\tCREATED\tARCHIVED")
	for _, p := range all.Projects {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Name, p.Type, strings.Join(leaves(p.Guide), ", "), local(p.CreatedAt), local(p.ArchivedAt))
	}
	return table.Flush()
}

// leaves are the names that boxes may bear.
func leaves(g *wire.Guide) (names []string) {
	if g == nil {
		return nil
	}
	var walk func([]wire.Category)
	walk = func(categories []wire.Category) {
		for _, c := range categories {
			if len(c.Children) == 0 {
				names = append(names, c.Name)
			}
			walk(c.Children)
		}
	}
	walk(g.Taxonomy.Categories)
	return names
}

type projectShowCmd struct{ ofProject }

// Run shows a project.
func (c *projectShowCmd) Run(m *Main) error {
	_, p, err := c.read(m)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(p)
	}
	instruction, taxonomy := 0, 0
	if p.Guide != nil {
		instruction, taxonomy = p.Guide.Instruction.Version, p.Guide.Taxonomy.Version
	}
	s := p.Settings
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "id\t%s\nname\t%s\ncreated\t%s\ndataset\t%s\ncategories\t%s\ninstruction\tversion %d\ntaxonomy\tversion %d\nattempts\t%d\nreviews\t%d\nhidden evaluation tasks\t%.0f %%\naccuracy asked for\t%.0f %%\n",
		p.ID, p.Name, local(p.CreatedAt), p.Dataset, strings.Join(leaves(p.Guide), ", "), instruction, taxonomy, s.Plan.Attempts, s.Plan.Reviews, 100*s.QualityRate, 100*s.Bar.Accuracy)
	printPrices(table, s.Prices)
	return table.Flush()
}

func printPrices(w io.Writer, p wire.Prices) {
	for _, stage := range []struct {
		name  string
		price wire.Price
	}{{"attempt", p.Attempt}, {"review", p.Review}, {"audit", p.Audit}} {
		if stage.price != (wire.Price{}) {
			fmt.Fprintf(w, "%s\t%g %s an hour, %g an image, %g a box\n", stage.name, stage.price.PerHour, p.Currency, stage.price.PerImage, stage.price.PerBox)
		}
	}
}

type projectInstructionsCmd struct {
	ofProject
	Set      string `help:"Write the next version: Markdown; - for standard input. Its examples stay, unless --examples replaces them." placeholder:"FILE"`
	Examples string `help:"Good and bad examples, as JSON." placeholder:"FILE"`
	Versions bool   `help:"List the versions."`
}

// Run prints, lists or revises an instruction.
func (c *projectInstructionsCmd) Run(m *Main) error {
	to, p, err := c.read(m)
	if err != nil {
		return err
	}
	if c.Set != "" || c.Examples != "" {
		return c.revise(m, to, p)
	}
	if c.Versions {
		return c.list(m, to)
	}
	if p.Guide == nil {
		return remuda.Errorf(remuda.NotFound, "project %s has no instruction yet", p.Name).WithHint("write one: remuda project instructions %q --set FILE", p.Name)
	}
	if c.JSON {
		return m.printJSON(p.Guide.Instruction)
	}
	fmt.Fprintln(m.Stdout, p.Guide.Instruction.Text)
	for _, e := range p.Guide.Instruction.Examples {
		kind := "bad"
		if e.Good {
			kind = "good"
		}
		fmt.Fprintf(m.Stdout, "\n%s example %s: %s\n", kind, e.Image, e.Why)
	}
	return nil
}

func (c *projectInstructionsCmd) revise(m *Main, to *client.Client, p wire.Project) error {
	var next wire.ReviseInstruction
	if p.Guide != nil {
		now := p.Guide.Instruction
		next = wire.ReviseInstruction{Base: now.Version, Text: now.Text, Examples: now.Examples}
	}
	if c.Set != "" {
		text, err := readText(c.Set)
		if err != nil {
			return err
		}
		next.Text = string(text)
	}
	if c.Examples != "" {
		text, err := readText(c.Examples)
		if err != nil {
			return err
		}
		next.Examples = nil
		if err := json.Unmarshal(text, &next.Examples); err != nil {
			return remuda.Errorf(remuda.Invalid, "read examples from %s: %w", c.Examples, err).WithHint(`write them like [{"image": "di_…", "good": true, "why": "…", "boxes": []}]`)
		}
	}
	g, err := to.ReviseInstruction(m.ctx, c.Project, next)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(g)
	}
	fmt.Fprintf(m.Stdout, "the instruction is at version %d\n", g.Instruction.Version)
	return nil
}

func (c *projectInstructionsCmd) list(m *Main, from *client.Client) error {
	all, err := from.Guides(m.ctx, c.Project)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROJECT\tINSTRUCTION\tTAXONOMY\tWHEN\tWHO\tEXAMPLES\tCATEGORIES")
	for _, g := range all.Guides {
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%s\t%d\t%s\n", g.Version, g.Instruction.Version, g.Taxonomy.Version, local(g.Instruction.At), g.Instruction.By, len(g.Instruction.Examples), strings.Join(leaves(&g), ", "))
	}
	return table.Flush()
}

type projectTaxonomyCmd struct {
	ofProject
	Set      string   `help:"The next version, as JSON; - for standard input." placeholder:"FILE" xor:"taxonomy"`
	Category []string `help:"The next version has these categories alone; may be repeated." placeholder:"NAME" xor:"taxonomy"`
	Outdated bool     `help:"List the completed tasks whose answer no longer does under the newest version."`
}

// Run prints or revises a taxonomy.
func (c *projectTaxonomyCmd) Run(m *Main) error {
	to, p, err := c.read(m)
	if err != nil {
		return err
	}
	x, err := readTaxonomy(c.Set, c.Category)
	if err != nil {
		return err
	}
	switch {
	case x != nil:
		return c.revise(m, to, p, *x)
	case c.Outdated:
		found, err := to.Outdated(m.ctx, c.Project)
		if err != nil {
			return err
		}
		if c.JSON {
			return m.printJSON(found)
		}
		printOutdated(m, found.Tasks)
		return nil
	case p.Guide == nil:
		return remuda.Errorf(remuda.NotFound, "project %s has no taxonomy yet", p.Name).WithHint("make one: remuda project taxonomy %q --category NAME", p.Name)
	}
	return m.printJSON(p.Guide.Taxonomy)
}

func (c *projectTaxonomyCmd) revise(m *Main, to *client.Client, p wire.Project, x wire.DrawTaxonomy) error {
	base := 0
	if p.Guide != nil {
		base = p.Guide.Taxonomy.Version
	}
	revised, err := to.ReviseTaxonomy(m.ctx, c.Project, wire.ReviseTaxonomy{Base: base, Taxonomy: x})
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(revised)
	}
	fmt.Fprintf(m.Stdout, "the taxonomy is at version %d\n", revised.Guide.Taxonomy.Version)
	printOutdated(m, revised.Outdated)
	return nil
}

func printOutdated(m *Main, tasks []wire.OutdatedTask) {
	fmt.Fprintf(m.Stdout, "%s outdated\n", count(len(tasks), "completed task"))
	for _, t := range tasks {
		fmt.Fprintf(m.Stdout, "  %s: %s\n", t.Task, strings.Join(t.Why, "; "))
	}
}

type projectPricesCmd struct {
	ofProject
	Currency string  `help:"As it shall be shown, such as EUR." placeholder:"NAME"`
	Stage    string  `help:"Which work is paid so: ${enum}." enum:"attempt,review,audit" default:"attempt"`
	PerHour  float64 `help:"Of active time." default:"-1" placeholder:"MONEY"`
	PerImage float64 `help:"Handed in." default:"-1" placeholder:"MONEY"`
	PerBox   float64 `help:"Of the answer handed in." default:"-1" placeholder:"MONEY"`
}

// Run shows or sets prices.
func (c *projectPricesCmd) Run(m *Main) error {
	to, p, err := c.read(m)
	if err != nil {
		return err
	}
	if c.set(&p.Settings.Prices) {
		if p, err = to.ChangeProject(m.ctx, c.Project, wire.ProjectChange{Settings: &p.Settings}); err != nil {
			return err
		}
	}
	if c.JSON {
		return m.printJSON(p.Settings.Prices)
	}
	if p.Settings.Prices == (wire.Prices{}) {
		fmt.Fprintln(m.Stdout, "nothing is paid")
		return nil
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	printPrices(table, p.Settings.Prices)
	return table.Flush()
}

// set changes prices as the flags say, if they do.
func (c *projectPricesCmd) set(p *wire.Prices) (changed bool) {
	price := map[string]*wire.Price{"attempt": &p.Attempt, "review": &p.Review, "audit": &p.Audit}[c.Stage]
	for _, one := range []struct {
		flag float64
		to   *float64
	}{{c.PerHour, &price.PerHour}, {c.PerImage, &price.PerImage}, {c.PerBox, &price.PerBox}} {
		if one.flag >= 0 {
			*one.to, changed = one.flag, true
		}
	}
	if c.Currency != "" {
		p.Currency, changed = c.Currency, true
	}
	return changed
}

type projectQualityCmd struct {
	ofProject
	Rate float64 `help:"Share of tasks that are hidden evaluation tasks, 0 to 1." default:"-1" placeholder:"SHARE"`
	Bar  float64 `help:"Pause who is surely below this accuracy, 0 to 1; 0 pauses nobody." default:"-1" placeholder:"ACCURACY"`

	Retire []string `help:"Give this quality task to nobody from now on; may be repeated." placeholder:"ID"`
	Use    []string `help:"Give this retired one to people again; may be repeated." placeholder:"ID"`
}

// Run lists quality tasks, or sets how they are used.
func (c *projectQualityCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	if c.Rate >= 0 || c.Bar >= 0 {
		p, err := to.Project(m.ctx, c.Project)
		if err != nil {
			return err
		}
		if c.Rate >= 0 {
			p.Settings.QualityRate = c.Rate
		}
		if c.Bar >= 0 {
			p.Settings.Bar.Accuracy = c.Bar
		}
		if _, err := to.ChangeProject(m.ctx, c.Project, wire.ProjectChange{Settings: &p.Settings}); err != nil {
			return err
		}
	}
	for i, id := range append(c.Retire, c.Use...) {
		retired := i < len(c.Retire)
		if _, err := to.ChangeQuality(m.ctx, id, wire.QualityChange{Retired: &retired}); err != nil {
			return err
		}
	}
	all, err := to.QualityTasks(m.ctx, c.Project)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tKIND\tFOR\tBOXES\tGIVEN\tDONE\tACCURACY\tRETIRED\tTESTS\tOUTDATED")
	for _, q := range all.Quality {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%v\t%s\t%s\n", q.ID, q.Kind, q.Stage, len(q.Expected.Boxes), q.Given, q.Done, share(q.Accuracy), q.Retired, strings.Join(q.Concepts, ", "), strings.Join(q.Outdated, "; "))
	}
	return table.Flush()
}

type projectArchiveCmd struct {
	ofProject
	Back bool `help:"Bring it back."`
}

// Run archives a project, or brings it back.
func (c *projectArchiveCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	archived := !c.Back
	p, err := to.ChangeProject(m.ctx, c.Project, wire.ProjectChange{Archived: &archived})
	if err == nil && c.JSON {
		err = m.printJSON(p)
	}
	return err
}

type projectCostCmd struct {
	ofProject
	CSV bool `name:"csv" help:"Print a table as CSV."`
}

// Run shows a project's costs.
func (c *projectCostCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	if c.CSV {
		return from.ProjectCostsCSV(m.ctx, c.Project, m.Stdout)
	}
	costs, err := from.ProjectCosts(m.ctx, c.Project)
	if err != nil {
		return err
	}
	return m.printCosts(costs, c.JSON)
}
