package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

type batchCmd struct {
	Create   batchCreateCmd   `cmd:"" help:"Make a batch: of a slice, a task for each of its images, or an empty one."`
	Ls       batchLsCmd       `cmd:"" help:"List batches."`
	Show     batchShowCmd     `cmd:"" help:"Show a batch."`
	Change   batchChangeCmd   `cmd:"" help:"Change who works on a batch, its plan or whom it tells."`
	Finalize batchFinalizeCmd `cmd:"" help:"Let people begin; no more tasks are added."`
	Reopen   batchReopenCmd   `cmd:"" help:"Let more tasks be added; people wait meanwhile."`
	Report   batchReportCmd   `cmd:"" help:"Show how well people draw, held against the audited answers, and how well they agree."`
	Cost     batchCostCmd     `cmd:"" help:"Show the time and money that a batch took, and what is left."`
	Audit    batchAuditCmd    `cmd:"" help:"Choose results at random to be audited, and show how many of the others are wrong."`
	Rank     batchRankCmd     `cmd:"" help:"Show or set the order in which people get to batches."`
}

// ofBatch is a batch that a command is about.
type ofBatch struct {
	server
	Batch string `arg:"" help:"The batch's name or id."`
}

type batchCreateCmd struct {
	server
	planning
	Name          string  `arg:"" help:"The batch's name; no two have the same, whatever their projects."`
	Project       string  `help:"The project's name or id." required:"" placeholder:"PROJECT"`
	Slice         string  `help:"Make a task for each image of this slice." placeholder:"SLICE"`
	Kind          string  `help:"What it is for: ${enum}." enum:"production,calibration,self_label" default:"production"`
	FromRun       string  `name:"run" help:"People begin from the predictions of this model run." placeholder:"RUN" xor:"start"`
	MinConfidence float64 `help:"Of those predictions, 0 to 1." placeholder:"CONFIDENCE"`
	GroundTruth   bool    `help:"People begin from the boxes that are there." xor:"start"`
	Priority      float64 `help:"Higher ones come first." placeholder:"N"`
	Callback      string  `help:"Tell this address when the batch is completed." placeholder:"URL"`
	Finalize      bool    `help:"Let people begin at once."`
}

// Run makes a batch.
func (c *batchCreateCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	n := wire.NewBatch{Name: c.Name, Kind: c.Kind, Callback: c.Callback}
	p, err := to.Project(m.ctx, c.Project)
	if err != nil {
		return err
	}
	n.Plan = c.plan(p.Settings.Plan)
	if c.Slice == "" {
		if c.FromRun != "" || c.GroundTruth {
			return remuda.Errorf(remuda.Invalid, "people begin from boxes of a slice's images").WithHint("name a slice with --slice")
		}
		b, err := to.CreateBatch(m.ctx, c.Project, n)
		if err == nil && c.Finalize {
			b, err = to.FinalizeBatch(m.ctx, b.ID)
		}
		if err != nil {
			return err
		}
		return m.printBatch(b, c.JSON)
	}
	slice, err := sliceID(m.ctx, to, c.Slice)
	if err != nil {
		return err
	}
	made, err := to.BatchFromSlice(m.ctx, wire.SliceBatch{
		NewBatch: n, Project: c.Project, Slice: slice, Run: c.FromRun, MinConfidence: c.MinConfidence, GroundTruth: c.GroundTruth, Priority: c.Priority, Finalize: c.Finalize,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(made)
	}
	fmt.Fprintf(m.Stdout, "batch %s: %s made", made.Batch.Name, count(made.Added, "task"))
	if made.There > 0 {
		fmt.Fprintf(m.Stdout, ", %d there already", made.There)
	}
	if made.Imageless > 0 {
		fmt.Fprintf(m.Stdout, ", %s left out whose image is not here or cannot be read", count(made.Imageless, "item"))
	}
	if fmt.Fprintln(m.Stdout); !c.Finalize {
		fmt.Fprintf(m.Stdout, "people begin after: remuda batch finalize %q\n", made.Batch.Name)
	}
	return nil
}

type batchChangeCmd struct {
	ofBatch
	planning
	Only     []string `help:"Only this group of the project or person, by login, works on it; may be repeated." placeholder:"NAME" xor:"people"`
	Everyone bool     `help:"Everyone in the project works on it." xor:"people"`
	Callback *string  `help:"Tell this address when the batch is completed; \"\" for none." placeholder:"URL"`
}

// Run changes a batch.
func (c *batchChangeCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	b, err := to.Batch(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	change := wire.BatchChange{Plan: c.plan(b.Plan), Callback: c.Callback}
	if len(c.Only) > 0 || c.Everyone {
		groups := append([]string{}, c.Only...)
		change.Groups = &groups
	}
	if change.Plan == nil && change.Groups == nil && change.Callback == nil {
		return remuda.Errorf(remuda.Invalid, "nothing is to be changed").WithHint("remuda batch change --help lists what can be")
	}
	if b, err = to.ChangeBatch(m.ctx, c.Batch, change); err != nil {
		return err
	}
	return m.printBatch(b, c.JSON)
}

type batchLsCmd struct {
	server
	Project  string `help:"Only those of this project." placeholder:"PROJECT"`
	Status   string `help:"Only those that are staging, in_progress or completed." placeholder:"STATUS"`
	Archived bool   `help:"Those of archived projects too."`
}

// Run lists batches.
func (c *batchLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	all, err := from.Batches(m.ctx, c.Project, c.Status, c.Archived)
	if err != nil {
		return err
	}
	return m.printBatches(all, c.JSON)
}

func (m *Main) printBatches(all wire.Batches, asJSON bool) error {
	if asJSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPROJECT\tKIND\tSTATUS\tPENDING\tCOMPLETED\tERROR\tCREATED")
	for _, b := range all.Batches {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", b.Name, b.Project, b.Kind, b.Status, b.Counts.Pending, b.Counts.Completed, b.Counts.Error, local(b.CreatedAt))
	}
	return table.Flush()
}

type batchShowCmd struct{ ofBatch }

// Run shows a batch, and which of its tasks wait for a manager.
func (c *batchShowCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	b, err := from.Batch(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	stuck, err := from.StuckTasks(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(struct {
			wire.Batch
			Stuck []wire.StuckTask `json:"stuck"`
		}{b, stuck.Tasks})
	}
	if err := m.printBatch(b, false); err != nil {
		return err
	}
	const most = 20
	for _, t := range stuck.Tasks[:min(len(stuck.Tasks), most)] {
		fmt.Fprintf(m.Stdout, "task %s waits for a manager: %s\n", t.Task, t.Why)
	}
	if more := len(stuck.Tasks) - most; more > 0 {
		fmt.Fprintf(m.Stdout, "and %s more: --json lists them all\n", count(more, "task"))
	}
	return nil
}

func (m *Main) printBatch(b wire.Batch, asJSON bool) error {
	if asJSON {
		return m.printJSON(b)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "id\t%s\nname\t%s\nproject\t%s\nkind\t%s\nstatus\t%s\ncreated\t%s\ncompleted\t%s\nattempts\t%d\nreviews\t%d\n",
		b.ID, b.Name, b.Project, b.Kind, b.Status, local(b.CreatedAt), local(b.CompletedAt), b.Plan.Attempts, b.Plan.Reviews)
	fmt.Fprintf(table, "tasks\t%d pending, %d completed, %d canceled, %d in error\n", b.Counts.Pending, b.Counts.Completed, b.Counts.Canceled, b.Counts.Error)
	return table.Flush()
}

type batchFinalizeCmd struct{ ofBatch }

// Run lets people begin. It says what a careful manager would have done before.
func (c *batchFinalizeCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	advice, err := to.BatchAdvice(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	b, err := to.FinalizeBatch(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	for _, line := range advice.Advice {
		fmt.Fprintf(m.Stderr, "advice: %s\n", line)
	}
	return m.printBatch(b, c.JSON)
}

type batchReopenCmd struct {
	ofBatch
	Why string `help:"For the history." placeholder:"TEXT"`
}

// Run lets more tasks be added.
func (c *batchReopenCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	b, err := to.ReopenBatch(m.ctx, c.Batch, c.Why)
	if err != nil {
		return err
	}
	return m.printBatch(b, c.JSON)
}

type batchReportCmd struct{ ofBatch }

// Run shows the calibration report, the agreement and what became of starting boxes.
func (c *batchReportCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	var out struct {
		Calibration wire.Calibration  `json:"calibration"`
		Agreement   wire.Ceiling      `json:"agreement"`
		Start       wire.StartChanges `json:"start"`
	}
	if out.Calibration, err = from.Calibration(m.ctx, c.Batch); err != nil {
		return err
	}
	if out.Agreement, err = from.Agreement(m.ctx, c.Batch); err != nil {
		return err
	}
	if out.Start, err = from.StartChanges(m.ctx, c.Batch); err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(out)
	}
	if err := m.printCalibration(out.Calibration); err != nil {
		return err
	}
	if a := out.Agreement; a.Images > 0 {
		fmt.Fprintf(m.Stdout, "\nnoise ceiling over %s that several people drew: F1 %s at IoU 0.5, %s at 0.75\n",
			count(a.Images, "image"), mean(a.F1, "%.3f", 1), mean(a.Strict, "%.3f", 1))
	}
	if len(out.Start.Changes) > 0 {
		fmt.Fprintln(m.Stdout, "\nthe boxes that people began from:")
		for _, s := range out.Start.Changes {
			otherwise := ""
			if s.Category {
				otherwise = ", called otherwise"
			}
			fmt.Fprintf(m.Stdout, "  %d %s%s\n", s.Boxes, s.Kind, otherwise)
		}
	}
	return nil
}

func (m *Main) printCalibration(c wire.Calibration) error {
	if c.All.Answers == 0 {
		fmt.Fprintln(m.Stdout, "no answer has been audited yet")
		return nil
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PERSON\tANSWERS\tSCORE\tMISSED\tEXTRA\tCONFUSED\tIOU\tLEFT\tTOP\tRIGHT\tBOTTOM")
	for _, r := range append([]wire.Calibrated{c.All}, c.People...) {
		name := r.Person
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, r.Answers, mean(r.Score, "%.0f %%", 100), share(r.Missed), share(r.Extra), share(r.Confused), mean(r.IoU, "%.2f", 1),
			edge(r.Bias.Left), edge(r.Bias.Top), edge(r.Bias.Right), edge(r.Bias.Bottom))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range append([]wire.Calibrated{c.All}, c.People...) {
		for _, line := range append(r.Biased, r.Warning) {
			if line != "" {
				fmt.Fprintln(m.Stdout, strings.TrimPrefix(r.Person+": "+line, ": "))
			}
		}
	}
	for _, v := range c.All.Voices.Feedback {
		fmt.Fprintf(m.Stdout, "%s on task %s: %s\n", v.Person, v.Task, v.Text)
	}
	return nil
}

// edge writes how far an edge is off.
func edge(v wire.Mean) string { return mean(v, "%+.1f", 1) }

type batchCostCmd struct {
	ofBatch
	CSV bool `name:"csv" help:"Print a table as CSV."`
}

// Run shows a batch's costs.
func (c *batchCostCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	if c.CSV {
		return from.BatchCostsCSV(m.ctx, c.Batch, m.Stdout)
	}
	costs, err := from.BatchCosts(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	return m.printCosts(costs, c.JSON)
}

func (m *Main) printCosts(c wire.Costs, asJSON bool) error {
	if asJSON {
		return m.printJSON(c)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\tIMAGES\tBOXES\tTIME\tCOST %s\tPER IMAGE\tPER BOX\n", c.Currency)
	line := func(name string, l wire.CostLine) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%.2f\t%s, %.2f\t%s, %.2f\n", name, l.Images, l.Boxes, duration(l.Seconds), l.Cost, duration(l.SecondsPerImage), l.CostPerImage, duration(l.SecondsPerBox), l.CostPerBox)
	}
	line("all", c.Total)
	for _, b := range c.Batches {
		line("batch "+b.ID, b)
	}
	for _, p := range c.People {
		line(p.ID, p)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if a := c.Ahead; a != nil && a.Images > 0 {
		fmt.Fprintf(m.Stdout, "left at this rate: %s, %s (%s to %s), %.2f %s (%.2f to %.2f)\n", count(a.Images, "image"),
			duration(a.Seconds.Value), duration(a.Seconds.Low), duration(a.Seconds.High), a.Cost.Value, c.Currency, a.Cost.Low, a.Cost.High)
	}
	return nil
}

type batchAuditCmd struct {
	ofBatch
	Sample int    `help:"Choose so many of the completed tasks at random." placeholder:"N"`
	Seed   uint64 `help:"The same seed chooses the same ones; a larger sample has the smaller one in it."`
}

// Run samples results, and shows what their audits say of the others.
func (c *batchAuditCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	if c.Sample > 0 {
		if err := c.sample(m, to); err != nil {
			return err
		}
	}
	e, err := to.AuditEstimate(m.ctx, c.Batch)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(e)
	}
	fmt.Fprintf(m.Stdout, "%d of %s sampled, %d audited: %d fixed, %d rejected\n", e.Sampled, count(e.Population, "completed task"), e.Audited, e.Fixed, e.Rejected)
	if e.Unseen != nil {
		fmt.Fprintf(m.Stdout, "of the %d that nobody audited, %.1f %% are wrong (%.1f to %.1f %%)\n", e.Unseen.Tasks, 100*e.Unseen.Rate, 100*e.Unseen.Interval[0], 100*e.Unseen.Interval[1])
	}
	if e.Sampled > e.Audited {
		fmt.Fprintf(m.Stdout, "%d wait to be audited: in the page, or with remuda task audit; remuda task ls --batch %q --review pending lists them\n", e.Sampled-e.Audited, c.Batch)
	}
	return nil
}

func (c *batchAuditCmd) sample(m *Main, to *client.Client) error {
	_, err := to.SampleAudits(m.ctx, c.Batch, wire.SampleAudits{Size: c.Sample, Seed: c.Seed})
	return err
}

type batchRankCmd struct {
	server
	Names   []string `arg:"" optional:"" help:"Every batch that isn't completed, first ones first; none shows the order."`
	Default bool     `help:"Go back to the default: calibration first, then the oldest."`
}

// Run shows or sets the order of batches.
func (c *batchRankCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	var all wire.Batches
	if len(c.Names) > 0 || c.Default {
		all, err = to.OrderBatches(m.ctx, c.Names)
	} else {
		all, err = to.BatchOrder(m.ctx)
	}
	if err != nil {
		return err
	}
	return m.printBatches(all, c.JSON)
}
