package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"remuda"
	"remuda/client"
	"remuda/internal/disk"
	"remuda/wire"
)

// server says which server a command talks to, and as whom.
type server struct {
	Server string `help:"The server's URL (default: the one of remuda login)." env:"REMUDA_SERVER" placeholder:"URL"`
	Key    string `name:"api-key" hidden:"" env:"REMUDA_API_KEY"` // of the environment: flags can be read by others on the machine
	JSON   bool   `name:"json" help:"Print JSON."`
}

// logins is what remuda login keeps, in a file of the user's alone.
type logins struct {
	Server string           `json:"server"` // the one that was logged in to last
	Known  map[string]login `json:"known"`  // by URL
}

type login struct {
	Key     string `json:"key,omitempty"`
	Cookie  string `json:"cookie,omitempty"` // name of a session's cookie
	Session string `json:"session,omitempty"`
}

// loginsPath is where logins are kept.
func loginsPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", remuda.Errorf(remuda.Invalid, "find the user's folder of settings: %w", err).WithHint("set REMUDA_SERVER and REMUDA_API_KEY instead")
	}
	return filepath.Join(dir, "remuda", "login.json"), nil
}

// readLogins returns what is kept; nothing if there is no file.
func readLogins() (l logins, err error) {
	path, err := loginsPath()
	if err != nil {
		return l, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, remuda.Errorf(remuda.Invalid, "read %s: %w", path, err).WithHint("log in again: remuda login URL")
	}
	return l, nil
}

// save writes the logins down.
func (l logins) save() error {
	path, err := loginsPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return writeError(path, err)
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("write down the login: %w", err)
	}
	if err := disk.ReplacePrivate(path, func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err }); err != nil {
		return writeError(path, err)
	}
	return nil
}

// client returns a client of the chosen server.
func (s server) client(m *Main) (*client.Client, error) {
	m.remote = true
	kept, err := readLogins()
	if err != nil && (s.Server == "" || s.Key == "") {
		return nil, err
	}
	url := s.Server
	if url == "" {
		url = kept.Server
	}
	if url == "" {
		return nil, remuda.Errorf(remuda.Invalid, "no server was named").WithHint("log in with remuda login URL, or set REMUDA_SERVER and REMUDA_API_KEY")
	}
	o := client.Options{Agent: "remuda/" + version, Key: s.Key}
	c, err := client.New(url, o)
	if err != nil || s.Key != "" {
		return c, err
	}
	known, ok := kept.Known[c.Server()]
	if !ok {
		return nil, remuda.Errorf(remuda.Unauthorized, "nobody has logged in to %s", c.Server()).WithHint("remuda login %s", c.Server())
	}
	o.Key = known.Key
	if known.Session != "" {
		o.Session = &http.Cookie{Name: known.Cookie, Value: known.Session}
	}
	return client.New(url, o)
}

// isID says whether a text is an id with a prefix, and no name.
func isID(text, prefix string) bool {
	rest, ok := strings.CutPrefix(text, prefix+"_")
	return ok && len(rest) == 20 && !strings.ContainsFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// datasetID finds a dataset by id or by name.
func datasetID(ctx context.Context, c *client.Client, named string) (string, error) {
	if isID(named, "ds") {
		return named, nil
	}
	ids, err := datasetsNamed(ctx, c, named)
	if err != nil {
		return "", err
	}
	return one("dataset", named, ids, "remuda dataset ls")
}

func datasetsNamed(ctx context.Context, c *client.Client, name string) (ids []string, err error) {
	all, err := c.Datasets(ctx)
	for _, d := range all.Datasets {
		if d.Name == name {
			ids = append(ids, d.ID)
		}
	}
	return ids, err
}

// sliceID finds a slice by id or by name.
func sliceID(ctx context.Context, c *client.Client, named string) (string, error) {
	if isID(named, "slc") {
		return named, nil
	}
	ids, err := slicesNamed(ctx, c, "", named)
	if err != nil {
		return "", err
	}
	return one("slice", named, ids, "remuda slice ls")
}

// slicesNamed returns the ids of slices of a name, of one dataset or of all.
func slicesNamed(ctx context.Context, c *client.Client, dataset, name string) (ids []string, err error) {
	all, err := c.Slices(ctx, dataset, name)
	for _, s := range all.Slices {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// one returns the only id that a name has.
func one(what, name string, ids []string, lists string) (string, error) {
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", remuda.Errorf(remuda.NotFound, "there is no %s %q", what, name).WithHint("`%s` lists them", lists)
	}
	return "", remuda.Errorf(remuda.Conflict, "%d %ss are called %q", len(ids), what, name).WithHint("name one by its id: %s", strings.Join(ids, ", "))
}

// unused fails when a name that is to be given has an owner: no command could
// tell the two apart by it.
func unused(what, name string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return remuda.Errorf(remuda.Conflict, "there is a %s %q already: %s", what, name, ids[0]).WithHint("work with that one, or choose another name")
}

// itemNamed finds an item of a dataset by id or by reference id.
func itemNamed(ctx context.Context, c *client.Client, dataset, named string) (wire.Item, error) {
	if isID(named, "di") {
		return c.Item(ctx, named)
	}
	quoted, err := json.Marshal(named)
	if err != nil {
		return wire.Item{}, fmt.Errorf("find item %s: %w", named, err)
	}
	found, err := c.Items(ctx, dataset, client.Search{Filter: "reference_id = " + string(quoted)}, client.Page{Limit: 1}, false)
	if err == nil && len(found.Items) == 0 {
		err = remuda.Errorf(remuda.NotFound, "there is no item %q in the dataset", named)
	}
	if err != nil {
		return wire.Item{}, err
	}
	return c.Item(ctx, found.Items[0].ID)
}
