package main

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"

	"remuda/client"
	"remuda/wire"
)

type taskCmd struct {
	Ls      taskLsCmd      `cmd:"" help:"List tasks, newest first."`
	Show    taskShowCmd    `cmd:"" help:"Show a task with everything that was handed in."`
	History taskHistoryCmd `cmd:"" help:"List what happened to a task."`
	Audit   taskAuditCmd   `cmd:"" help:"Accept or reject a result."`
	Relabel taskRelabelCmd `cmd:"" help:"Have a completed task drawn anew."`
	Cancel  taskCancelCmd  `cmd:"" help:"End a pending or failed task that nobody is working on."`
	Resolve taskResolveCmd `cmd:"" help:"Answer the question of a task that is set aside."`
	Retry   taskRetryCmd   `cmd:"" help:"Look anew for the image of a failed task."`
	Quality taskQualityCmd `cmd:"" help:"Make a quality task of an audited task, and print its id."`
}

// ofTask is a task that a command is about.
type ofTask struct {
	server
	Task string `arg:"" help:"The task's id or unique id."`
}

type taskLsCmd struct {
	server
	Project string `help:"Only those of this project." placeholder:"PROJECT"`
	Batch   string `help:"Only those of this batch." placeholder:"BATCH"`
	Status  string `help:"Only those that are pending, completed, canceled or in error." placeholder:"STATUS"`
	Review  string `help:"Only those that audits found pending, accepted, fixed or rejected." placeholder:"REVIEW"`
	Limit   int    `help:"How many at most; 0 for all." default:"100"`
}

// Run lists tasks.
func (c *taskLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	out := wire.Tasks{Tasks: []wire.Task{}}
	for page := (client.Page{}); ; {
		if page.Limit = 1000; c.Limit > 0 {
			page.Limit = min(1000, c.Limit-len(out.Tasks))
		}
		found, err := from.Tasks(m.ctx, client.TaskFilter{Project: c.Project, Batch: c.Batch, Status: c.Status, Review: c.Review}, page)
		if err != nil {
			return err
		}
		out.Tasks, out.Total, out.Next = append(out.Tasks, found.Tasks...), found.Total, found.Next
		if page.Cursor = found.Next; page.Cursor == "" || len(out.Tasks) == c.Limit {
			break
		}
	}
	if c.JSON {
		return m.printJSON(out)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tBATCH\tSTATUS\tWAITS FOR\tAUDIT\tBOXES\tCREATED\tCOMPLETED\tSET ASIDE")
	for _, t := range out.Tasks {
		boxes := "-"
		if t.Result != nil {
			boxes = fmt.Sprint(len(t.Result.Boxes))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Batch, t.Status, t.Stage, auditOf(t), boxes, local(t.CreatedAt), local(t.CompletedAt), t.Flag)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "%d of %s\n", len(out.Tasks), count(int(out.Total), "task"))
	return nil
}

// auditOf is what audits found of a task, and whether one is waited for.
func auditOf(t wire.Task) string {
	if t.Sampled && t.Review == "pending" {
		return "to be audited"
	}
	return t.Review
}

type taskShowCmd struct{ ofTask }

// Run shows a task.
func (c *taskShowCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	t, err := from.Task(m.ctx, c.Task)
	if err != nil {
		return err
	}
	return m.printTask(t, c.JSON)
}

func (m *Main) printTask(t wire.Task, asJSON bool) error {
	if asJSON {
		return m.printJSON(t)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"id", t.ID},
		{"project", t.Project},
		{"batch", t.Batch},
		{"status", t.Status},
		{"waits for", t.Stage},
		{"audit", auditOf(t)},
		{"image", cmp.Or(t.Item, t.Attachment)},
		{"created", local(t.CreatedAt)},
		{"completed", local(t.CompletedAt)},
		{"held by", cmp.Or(t.HolderName, t.Holder)},
		{"set aside", t.Flag},
		{"note", t.Note},
		{"failure", t.Failure},
	} {
		if line[1] != "" && line[1] != "-" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
	}
	for _, w := range t.Work {
		fmt.Fprintf(table, "round %d\t%s by %s at %s, %s at work %s %s\n", w.Round, w.Stage, w.Name, local(w.At), duration(w.ActiveSeconds), w.Verdict, w.Reason)
	}
	if t.Result != nil {
		for _, b := range t.Result.Boxes {
			fmt.Fprintf(table, "box\t%s %.1f %.1f %.1f %.1f\n", b.Category, b.Box.X0, b.Box.Y0, b.Box.X1, b.Box.Y1)
		}
	}
	return table.Flush()
}

type taskHistoryCmd struct{ ofTask }

// Run lists what happened to a task.
func (c *taskHistoryCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	all, err := from.TaskHistory(m.ctx, c.Task)
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tWHAT\tWHO\tROUND\tSTAGE\tVERDICT\tWHY")
	for _, e := range all.Events {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", local(e.At), e.Kind, e.Name, e.Round, e.Stage, e.Verdict, e.Why)
	}
	return table.Flush()
}

// changeTask changes a task and shows it.
func (o ofTask) change(m *Main, do func(c *client.Client, ctx context.Context, task string) (wire.Task, error)) error {
	to, err := o.client(m)
	if err != nil {
		return err
	}
	t, err := do(to, m.ctx, o.Task)
	if err != nil {
		return err
	}
	return m.printTask(t, o.JSON)
}

type taskAuditCmd struct {
	ofTask
	Verdict string `arg:"" help:"accepted or rejected." enum:"accepted,rejected"`
	Why     string `help:"Needed to reject." placeholder:"TEXT"`
}

// Run audits a task.
func (c *taskAuditCmd) Run(m *Main) error {
	return c.change(m, func(to *client.Client, ctx context.Context, task string) (wire.Task, error) {
		return to.AuditTask(ctx, task, wire.Audit{Verdict: c.Verdict, Reason: c.Why})
	})
}

type taskRelabelCmd struct {
	ofTask
	Why string `required:"" help:"Why, for whoever does it next." placeholder:"TEXT"`
}

// Run has a task drawn anew.
func (c *taskRelabelCmd) Run(m *Main) error {
	return c.change(m, func(to *client.Client, ctx context.Context, task string) (wire.Task, error) {
		return to.RelabelTask(ctx, task, c.Why)
	})
}

type taskCancelCmd struct {
	ofTask
	Why string `help:"For the history." placeholder:"TEXT"`
}

// Run cancels a task.
func (c *taskCancelCmd) Run(m *Main) error {
	return c.change(m, func(to *client.Client, ctx context.Context, task string) (wire.Task, error) {
		return to.CancelTask(ctx, task, c.Why)
	})
}

type taskResolveCmd struct {
	ofTask
	Note string `required:"" help:"The answer, for whoever does it next." placeholder:"TEXT"`
}

// Run answers a flag.
func (c *taskResolveCmd) Run(m *Main) error {
	return c.change(m, func(to *client.Client, ctx context.Context, task string) (wire.Task, error) {
		return to.ResolveTask(ctx, task, c.Note)
	})
}

type taskRetryCmd struct{ ofTask }

// Run looks for an image anew.
func (c *taskRetryCmd) Run(m *Main) error {
	return c.change(m, func(to *client.Client, ctx context.Context, task string) (wire.Task, error) {
		return to.RetryTask(ctx, task)
	})
}

type taskQualityCmd struct {
	ofTask
	Kind       string   `help:"What it is for: ${enum}." enum:"training,evaluation" default:"evaluation"`
	Review     bool     `help:"For reviewers: they judge the attempt that the result was made from."`
	Tests      []string `help:"What it tests; may be repeated." placeholder:"CONCEPT"`
	Difficulty string   `help:"In your words." placeholder:"TEXT"`
}

// Run makes a quality task.
func (c *taskQualityCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	q, err := to.MakeQuality(m.ctx, c.Task, wire.MakeQuality{Kind: c.Kind, Review: c.Review, Concepts: c.Tests, Difficulty: c.Difficulty})
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(q)
	}
	fmt.Fprintln(m.Stdout, q.ID)
	return nil
}
