package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

type projectPeopleCmd struct {
	ofProject
	Add    []string `help:"Assign these people, by login; may be repeated." placeholder:"LOGIN"`
	Remove []string `help:"End the assignment of these." placeholder:"LOGIN"`
	Pause  string   `help:"Keep this person from real tasks of the project." placeholder:"LOGIN" xor:"pause"`
	Resume string   `help:"Let this person go on." placeholder:"LOGIN" xor:"pause"`
	Why    string   `help:"What the person who is paused reads." placeholder:"TEXT"`
}

// Run lists, assigns, pauses or resumes people.
func (c *projectPeopleCmd) Run(m *Main) error {
	to, err := c.client(m)
	if err != nil {
		return err
	}
	var all wire.Standings
	if len(c.Add)+len(c.Remove) > 0 {
		all, err = to.AssignPeople(m.ctx, c.Project, wire.PeopleChange{Add: c.Add, Remove: c.Remove})
	} else {
		all, err = to.People(m.ctx, c.Project)
	}
	if err != nil {
		return err
	}
	if login := c.Pause + c.Resume; login != "" {
		if err := c.change(m, to, all, login); err != nil {
			return err
		}
		if all, err = to.People(m.ctx, c.Project); err != nil {
			return err
		}
	}
	if c.JSON {
		return m.printJSON(all)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LOGIN\tACCURACY\tEVALUATIONS\tTRAINED\tPAUSED\tWHY")
	for _, p := range all.People {
		paused := "-"
		if p.Paused {
			paused = local(p.Since)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", p.Login, share(p.Accuracy), len(p.Evaluations), p.Trained, paused, p.Why)
	}
	return table.Flush()
}

func (c *projectPeopleCmd) change(m *Main, to *client.Client, all wire.Standings, login string) error {
	at := slices.IndexFunc(all.People, func(p wire.Standing) bool { return p.Login == login })
	if at < 0 {
		return remuda.Errorf(remuda.NotFound, "%s doesn't work in project %s", login, c.Project).WithHint("remuda project people %q lists who does", c.Project)
	}
	change := to.PausePerson
	if c.Resume != "" {
		change = to.ResumePerson
	}
	_, err := change(m.ctx, c.Project, all.People[at].User, c.Why)
	return err
}

// share writes a rate for people: 83 % (62 to 95 %) of 24.
func share(r wire.Rate) string {
	if r.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %% (%.0f to %.0f %%) of %d", 100*r.Value, 100*r.Interval[0], 100*r.Interval[1], r.Of)
}

// mean writes a mean for people, as a share or a number.
func mean(v wire.Mean, format string, scale float64) string {
	if v.Images == 0 {
		return "-"
	}
	text := fmt.Sprintf(format, scale*v.Value)
	if v.Interval != nil {
		text += fmt.Sprintf(" ("+format+" to "+format+")", scale*v.Interval[0], scale*v.Interval[1])
	}
	return text
}
