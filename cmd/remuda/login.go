package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"remuda"
	"remuda/client"
)

type loginCmd struct {
	URL string `arg:"" help:"The server's URL." placeholder:"URL"`
}

type logoutCmd struct {
	URL string `arg:"" optional:"" help:"The server's URL (default: the one that was logged in to last)."`
}

// Help is what `remuda login --help` adds.
func (c *loginCmd) Help() string {
	return "Asks for an API key, or for your name and then your password; without a terminal they are read from standard input, one a line."
}

// Run asks for an API key, or for a name and password, and keeps what lets the
// other commands in.
func (c *loginCmd) Run(m *Main) error {
	m.remote = true
	fresh, err := client.New(c.URL, client.Options{Agent: "remuda/" + version})
	if err != nil {
		return err
	}
	kept, err := readLogins()
	if err != nil {
		kept = logins{} // the file was damaged: it is written anew
	}
	in := bufio.NewReader(os.Stdin)
	name, err := m.askLine(in, "API key, or your name: ", false)
	if err != nil {
		return err
	}
	known := login{Key: name}
	if !strings.HasPrefix(name, "live_") && !strings.HasPrefix(name, "test_") {
		password, err := m.askLine(in, "Password: ", true)
		if err != nil {
			return err
		}
		session, err := fresh.Login(m.ctx, name, password)
		if err != nil {
			return err
		}
		known = login{Cookie: session.Name, Session: session.Value}
	}
	if kept.Known == nil {
		kept.Known = make(map[string]login)
	}
	kept.Server, kept.Known[fresh.Server()] = fresh.Server(), known
	if known.Key != "" { // a session has just been made; a key may be wrong
		fresh, err = client.New(c.URL, client.Options{Agent: "remuda/" + version, Key: known.Key})
		if err != nil {
			return err
		}
		if _, err := fresh.Me(m.ctx); err != nil {
			return err
		}
	}
	if err := kept.save(); err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "logged in to %s\n", fresh.Server())
	return nil
}

// askLine reads a line from a person, or from whatever standard input is.
func (m *Main) askLine(in *bufio.Reader, prompt string, secret bool) (string, error) {
	fd := int(os.Stdin.Fd())
	person := term.IsTerminal(fd)
	if person {
		fmt.Fprint(m.Stderr, prompt)
	}
	var line string
	var err error
	if person && secret {
		var text []byte
		text, err = term.ReadPassword(fd)
		fmt.Fprintln(m.Stderr)
		line = string(text)
	} else if line, err = in.ReadString('\n'); errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	if line = strings.TrimRight(line, "\r\n"); err != nil || line == "" {
		return "", remuda.Errorf(remuda.Invalid, "nothing was entered").WithHint("`remuda key create NAME` on the server's machine makes an API key")
	}
	return line, nil
}

// Run ends the session, if it is one, and forgets the login.
func (c *logoutCmd) Run(m *Main) error {
	kept, err := readLogins()
	if err != nil {
		return err
	}
	s := server{Server: c.URL}
	known, err := s.client(m)
	if err != nil {
		return err
	}
	if kept.Known[known.Server()].Session != "" {
		if err := known.Logout(m.ctx); err != nil {
			return err
		}
	}
	delete(kept.Known, known.Server())
	if kept.Server == known.Server() {
		kept.Server = ""
	}
	if err := kept.save(); err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "logged out of %s\n", known.Server())
	return nil
}
