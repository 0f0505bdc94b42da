package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"remuda"
	"remuda/flow"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key and print it, this once."`
	List   keyListCmd   `cmd:"" help:"List the API keys, without their secrets."`
	Revoke keyRevokeCmd `cmd:"" help:"Make an API key open nothing from now on."`
}

type keyCreateCmd struct {
	place
	Name string `arg:"" help:"What the key is for."`
	Role string `help:"What the key opens: ${enum}." enum:"admin,manager,reviewer,labeler" default:"manager"`
	Test bool   `help:"A key of the test world, which shares nothing with the live one."`
	User string `help:"Login of the user whose key it is; it opens no more than they may." placeholder:"LOGIN"`
}

// Run prints a new key and nothing else.
func (c *keyCreateCmd) Run(m *Main) error {
	f, done, err := c.openDatabase(m.ctx, true)
	if err != nil {
		return err
	}
	defer done()
	n := flow.NewKey{Name: c.Name, World: remuda.Live, Role: remuda.Role(c.Role)}
	if c.Test {
		n.World = remuda.Test
	}
	if c.User != "" {
		u, err := f.UserByLogin(m.ctx, flow.Local(n.World), c.User)
		if err != nil {
			return err
		}
		n.User = u.ID
	}
	key, _, err := f.CreateKey(m.ctx, flow.Local(n.World), n)
	if err != nil {
		return err
	}
	fmt.Fprintln(m.Stdout, key)
	return nil
}

type keyListCmd struct{ place }

// Run lists the keys.
func (c *keyListCmd) Run(m *Main) error {
	f, done, err := c.openDatabase(m.ctx, false)
	if err != nil {
		return err
	}
	defer done()
	keys, err := f.Keys(m.ctx, flow.Local(remuda.Live))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tKEY\tNAME\tROLE\tCREATED\tUSED\tREVOKED")
	for _, k := range keys {
		fmt.Fprintf(table, "%s\t%s…\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Prefix, k.Name, k.Role, day(&k.CreatedAt), day(k.UsedAt), day(k.RevokedAt))
	}
	return table.Flush()
}

// day writes the day of a time that may be absent.
func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

type keyRevokeCmd struct {
	place
	Key string `arg:"" help:"The key's id or name."`
}

// Run revokes a key.
func (c *keyRevokeCmd) Run(m *Main) error {
	f, done, err := c.openDatabase(m.ctx, false)
	if err != nil {
		return err
	}
	defer done()
	id, err := c.find(m.ctx, f)
	if err != nil {
		return err
	}
	return f.RevokeKey(m.ctx, flow.Local(remuda.Live), id)
}

// find returns the id of the key that is meant. Of keys of one name only one may still open something.
func (c *keyRevokeCmd) find(ctx context.Context, f *flow.Flow) (string, error) {
	if isID(c.Key, "key") {
		return c.Key, nil
	}
	keys, err := f.Keys(ctx, flow.Local(remuda.Live))
	if err != nil {
		return "", err
	}
	var valid, revoked []string
	for _, k := range keys {
		switch {
		case k.Name != c.Key:
		case k.RevokedAt == nil:
			valid = append(valid, k.ID)
		default:
			revoked = append(revoked, k.ID)
		}
	}
	if len(valid) == 0 && len(revoked) > 0 {
		return revoked[0], nil
	}
	return one("key", c.Key, valid, "remuda key list")
}
