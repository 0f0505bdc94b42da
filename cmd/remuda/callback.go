package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"remuda/client"
	"remuda/wire"
)

type callbackCmd struct {
	Ls       callbackLsCmd       `cmd:"" help:"List what was and will be told to the addresses of tasks and batches, newest first."`
	Send     callbackSendCmd     `cmd:"" help:"Tell of a task as it is now, at once."`
	Settings callbackSettingsCmd `cmd:"" help:"Show or set who is told of tasks that name no address, and show the key that callbacks bear."`
}

type callbackLsCmd struct {
	server
	Batch  string `help:"Only those of the batch with this id." placeholder:"ID"`
	Task   string `help:"Only those of the task with this id." placeholder:"ID"`
	Status string `help:"Only those that are waiting, done or failed." placeholder:"STATUS"`
	Limit  int    `help:"How many at most." default:"100"`
}

// Run lists callbacks.
func (c *callbackLsCmd) Run(m *Main) error {
	from, err := c.client(m)
	if err != nil {
		return err
	}
	found, err := from.Callbacks(m.ctx, client.CallbackFilter{Batch: c.Batch, Task: c.Task, Status: c.Status}, client.Page{Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(found)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MADE\tOF\tWHAT\tSTATUS\tTRIES\tNEXT\tANSWER\tADDRESS")
	for _, b := range found.Callbacks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", local(b.CreatedAt), cmp.Or(b.Task, b.Batch), b.Event, b.Status, b.Attempts, local(b.NextAt), b.Answer, b.URL)
	}
	return table.Flush()
}

type callbackSendCmd struct{ ofTask }

// Run tells of a task.
func (c *callbackSendCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	return to.ResendCallback(m.ctx, c.Task)
}

type callbackSettingsCmd struct {
	server
	URL  string `name:"url" help:"Tell this address of tasks that name none." placeholder:"URL" xor:"url"`
	None bool   `help:"Tell nobody of tasks that name no address." xor:"url"`
}

// Run shows or sets whom callbacks tell.
func (c *callbackSettingsCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	var s wire.CallbackSettings
	if c.URL != "" || c.None {
		s, err = to.SetCallbackURL(m.ctx, c.URL)
	} else {
		s, err = to.CallbackSettings(m.ctx)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(s)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "told of tasks that name nobody\t%s\nscale-callback-auth\t%s\n", cmp.Or(s.URL, "nobody"), s.Key)
	return table.Flush()
}
