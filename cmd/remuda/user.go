package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

type userCmd struct {
	Add     userAddCmd     `cmd:"" help:"Add a user and print their password, this once."`
	List    userListCmd    `cmd:"" help:"List the users."`
	Passwd  userPasswdCmd  `cmd:"" help:"Give a user another password and print it."`
	Role    userRoleCmd    `cmd:"" help:"Give a user another role."`
	Disable userDisableCmd `cmd:"" help:"Let a user in no more."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled user in again."`
}

// chosen is a password that is not to be a random one.
type chosen struct {
	PasswordStdin bool `help:"Read the password from standard input instead of making a random one."`
}

// password reads the password that was chosen; "" if none was.
func (c chosen) password() (string, error) {
	if !c.PasswordStdin {
		return "", nil
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, 4<<10))
	if err != nil {
		return "", remuda.Errorf(remuda.Invalid, "read the password from standard input: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", remuda.Errorf(remuda.Invalid, "no password came from standard input").WithHint("leave --password-stdin out for a random one")
	}
	return password, nil
}

// show prints a password that was not chosen.
func (c chosen) show(m *Main, password string) {
	if !c.PasswordStdin {
		fmt.Fprintln(m.Stdout, password)
	}
}

type userAddCmd struct {
	place
	chosen
	Login string `arg:"" help:"A name or an e-mail address."`
	Name  string `help:"As others read it (default: the login)."`
	Role  string `help:"What they may do: ${enum}." enum:"admin,manager,reviewer,labeler" default:"labeler"`
}

// Run adds a user.
func (c *userAddCmd) Run(m *Main) error {
	password, err := c.password()
	if err != nil {
		return err
	}
	f, done, err := c.openDatabase(m.ctx, true)
	if err != nil {
		return err
	}
	defer done()
	_, password, err = f.CreateUser(m.ctx, flow.Local(remuda.Live), flow.NewUser{Login: c.Login, Name: c.Name, Role: remuda.Role(c.Role), Password: password})
	if err != nil {
		return err
	}
	c.show(m, password)
	return nil
}

type userListCmd struct{ place }

// Run lists the users.
func (c *userListCmd) Run(m *Main) error {
	f, done, err := c.openDatabase(m.ctx, false)
	if err != nil {
		return err
	}
	defer done()
	users, err := f.Users(m.ctx, flow.Local(remuda.Live))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LOGIN\tNAME\tROLE\tCREATED\tLAST LOGIN\tDISABLED")
	for _, u := range users {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Login, u.Name, u.Role, day(&u.CreatedAt), day(u.SeenAt), day(u.DisabledAt))
	}
	return table.Flush()
}

// named is a user who is there.
type named struct {
	place
	Login string `arg:"" help:"The user's login."`
}

// change opens the database and does something to the user.
func (c named) change(m *Main, do func(f *flow.Flow, local remuda.Caller, u store.User) error) error {
	f, done, err := c.openDatabase(m.ctx, false)
	if err != nil {
		return err
	}
	defer done()
	local := flow.Local(remuda.Live)
	u, err := f.UserByLogin(m.ctx, local, c.Login)
	if err != nil {
		return err
	}
	return do(f, local, u)
}

type userPasswdCmd struct {
	named
	chosen
}

// Run gives a user another password, which ends their sessions.
func (c *userPasswdCmd) Run(m *Main) error {
	password, err := c.password()
	if err != nil {
		return err
	}
	return c.change(m, func(f *flow.Flow, local remuda.Caller, u store.User) error {
		password, err := f.SetPassword(m.ctx, local, u.ID, password)
		if err == nil {
			c.show(m, password)
		}
		return err
	})
}

type userRoleCmd struct {
	named
	Role string `arg:"" help:"admin, manager, reviewer or labeler." enum:"admin,manager,reviewer,labeler"`
}

// Run gives a user another role.
func (c *userRoleCmd) Run(m *Main) error {
	return c.change(m, func(f *flow.Flow, local remuda.Caller, u store.User) error {
		_, err := f.SetRole(m.ctx, local, u.ID, remuda.Role(c.Role))
		return err
	})
}

type userDisableCmd struct{ named }

// Run disables a user.
func (c *userDisableCmd) Run(m *Main) error {
	return c.change(m, func(f *flow.Flow, local remuda.Caller, u store.User) error {
		_, err := f.DisableUser(m.ctx, local, u.ID)
		return err
	})
}

type userEnableCmd struct{ named }

// Run lets a user in again.
func (c *userEnableCmd) Run(m *Main) error {
	return c.change(m, func(f *flow.Flow, local remuda.Caller, u store.User) error {
		_, err := f.EnableUser(m.ctx, local, u.ID)
		return err
	})
}
