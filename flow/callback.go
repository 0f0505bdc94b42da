package flow

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// Poster sends what callbacks tell, guarded against addresses of the server's
// own network.
type Poster interface {
	// Post sends JSON with headers and returns the status of the answer; invalid if the address is refused.
	Post(ctx context.Context, url string, header map[string]string, body []byte) (status int, err error)
}

// CallbackView is what a callback tells of: a task, or a batch.
type CallbackView struct {
	Event label.EventKind
	Task  *store.Task
	Batch *BatchView
}

const (
	workCallback   = store.WorkCallback
	callbackHeader = "scale-callback-auth"

	settingCallback = "callback of tasks in " // and the world: the name of a setting

	// Attempts go on for a day: the delays between them add up to 23.8 hours.
	callbackAttempts = 20
	callbackFirst    = 10 * time.Second
	callbackMost     = 140 * time.Minute
)

// callbackDelay is how long to wait after a failed attempt (1, 2, …): twice as
// long each time.
func callbackDelay(attempt int) time.Duration {
	delay := callbackFirst
	for range attempt - 1 {
		delay = min(2*delay, callbackMost)
	}
	return delay
}

// callBackTask adds the callbacks of what happened to a task.
func callBackTask(tx *store.Tx, t store.Task, b store.Batch, events []label.Event) error {
	for _, e := range events {
		if e.Task != t.ID || !e.CallsBack() {
			continue
		}
		if err := callBack(tx, store.Callback{BatchID: b.ID, Task: t.ID, Event: e.Kind, URL: t.Callback}); err != nil {
			return err
		}
	}
	return nil
}

// callBack adds a callback, if there is an address to call: a task's own, else
// the one that an admin has set for all tasks that name none.
func callBack(tx *store.Tx, c store.Callback) (err error) {
	if c.URL == "" && c.Task != "" {
		c.URL, err = usualCallback(tx)
	}
	if err != nil || c.URL == "" {
		return err
	}
	if !isWeb(c.URL) {
		c.Status, c.Answer = store.CallbackFailed, "this server sends no mail: give an address that begins with https:// or http://"
		if err := tx.SetCallbackOK(c, false); err != nil {
			return err
		}
	}
	_, err = tx.AddCallback(workCallback, c)
	return err
}

// usualCallback returns whom the caller's world tells of tasks that name nobody; "" for nobody.
func usualCallback(tx *store.Tx) (string, error) {
	url, err := tx.Setting(settingCallback + string(tx.Caller.World))
	if remuda.CodeOf(err) == remuda.NotFound {
		return "", nil
	}
	return url, err
}

// checkCallback refuses what is neither an address of the web nor of mail.
func checkCallback(name, address string) error {
	u, err := url.Parse(address)
	switch {
	case address == "", err == nil && isWeb(address) && u.Hostname() != "":
		return nil
	case len(address) <= maxLogin && strings.Contains(strings.Trim(address, "@"), "@") && !strings.ContainsAny(address, " /:"):
		return nil // nobody is told there, and the callback will say so
	}
	return remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q cannot be %.80q", name, address).WithHint("give an address that begins with https:// or http://")
}

// CallbackSettings is how a world's receivers of callbacks are found, and how
// they recognise this server.
type CallbackSettings struct {
	URL string // told of tasks that name no address; "" for none
	Key string // sent in the header scale-callback-auth
}

// CallbackSettings returns those of the caller's world; managers only.
func (f *Flow) CallbackSettings(ctx context.Context, caller remuda.Caller) (s CallbackSettings, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return s, err
	}
	if s.Key, err = f.callbackKey(ctx, caller.World); err != nil {
		return s, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		s.URL, err = usualCallback(tx)
		return err
	})
	return s, err
}

// SetCallbackURL says who is told of the tasks of the caller's world that name
// no address, from now on; "" for nobody. Admins only.
func (f *Flow) SetCallbackURL(ctx context.Context, caller remuda.Caller, address string) (s CallbackSettings, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return s, err
	}
	if err := checkCallback("url", address); err != nil {
		return s, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.SetSetting(settingCallback+string(caller.World), address); err != nil {
			return err
		}
		return tx.Audit("callback.url", string(caller.World), address)
	})
	if err != nil {
		return s, err
	}
	return f.CallbackSettings(ctx, caller)
}

func (f *Flow) callbackKey(ctx context.Context, world remuda.World) (string, error) {
	var secret []byte
	err := f.DB.Write(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		secret, err = tx.Secret("callbacks " + string(world))
		return err
	})
	return string(world) + "_" + hex.EncodeToString(secret), err
}

// runCallback sends a callback once. When that fails the next attempt is queued
// for later, up to a day after the first.
func (f *Flow) runCallback(ctx context.Context, text json.RawMessage) error {
	var ref store.CallbackRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to a callback: %w", err)
	}
	c, body, err := f.readCallback(ctx, ref)
	if err != nil || c.Status != store.CallbackWaiting || c.Attempts+1 != ref.Attempt {
		return err
	}
	key, err := f.callbackKey(ctx, c.World)
	if err != nil {
		return err
	}
	ok, final := false, false
	status, err := f.Poster.Post(ctx, c.URL, map[string]string{callbackHeader: key}, body)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		c.Answer, final = remuda.Sentence(err), remuda.CodeOf(err) == remuda.Invalid
	default:
		c.Answer, ok = strconv.Itoa(status), status >= 200 && status < 300
	}
	caller := remuda.Caller{Role: remuda.Manager, World: c.World}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		now, err := tx.Callback(c.ID)
		if err != nil || now.Status != store.CallbackWaiting || now.Attempts+1 != ref.Attempt {
			return err
		}
		now.Attempts, now.Answer = ref.Attempt, c.Answer
		switch {
		case ok:
			now.Status = store.CallbackDone
		case final || ref.Attempt >= callbackAttempts:
			now.Status = store.CallbackFailed
		default:
			now.NextAt = tx.Now.Add(callbackDelay(ref.Attempt))
		}
		if now.Status != store.CallbackWaiting {
			if err := tx.SetCallbackOK(now, ok); err != nil {
				return err
			}
		}
		return tx.UpdateCallback(workCallback, now)
	})
}

// readCallback reads a callback and writes what it tells: how things are now.
func (f *Flow) readCallback(ctx context.Context, ref store.CallbackRef) (c store.Callback, body []byte, err error) {
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) error {
		c, err = tx.AnyCallback(ref.Callback)
		return err
	})
	if err != nil {
		return c, nil, err
	}
	if f.CallbackBody == nil || f.Poster == nil {
		return c, nil, remuda.Errorf(remuda.Internal, "send callback %s: this program sends none", c.ID)
	}
	view := CallbackView{Event: c.Event}
	err = f.DB.Read(ctx, remuda.Caller{Role: remuda.Manager, World: c.World}, func(tx *store.Tx) error {
		if c.Task != "" {
			t, err := tx.Task(c.Task)
			view.Task = &t
			return err
		}
		b, err := tx.Batch(c.BatchID)
		if err != nil {
			return err
		}
		counts, err := tx.BatchCounts(b.ID)
		view.Batch = &BatchView{b, counts}
		return err
	})
	if err != nil {
		return c, nil, err
	}
	body, err = f.CallbackBody(view)
	return c, body, err
}

// Callbacks returns what was and will be told to users' addresses, newest first;
// managers only.
func (f *Flow) Callbacks(ctx context.Context, caller remuda.Caller, filter store.CallbackFilter) (found []store.Callback, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		found, err = tx.Callbacks(filter)
		return err
	})
	return found, err
}

// ResendCallback tells of a task as it is now, at once, whatever was told
// before; managers only. invalid if there is no address of the web to tell.
func (f *Flow) ResendCallback(ctx context.Context, caller remuda.Caller, ref string) (made store.Callback, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		t, err := tx.Task(id)
		if err != nil {
			return err
		}
		to := t.Callback
		if to == "" {
			if to, err = usualCallback(tx); err != nil {
				return err
			}
		}
		if !isWeb(to) {
			return remuda.Errorf(remuda.Invalid, "task %s has no callback_url that can be told", id).WithHint("set one for all tasks that name none: remuda callback settings --url URL")
		}
		event := label.EventCompleted
		if t.Status == label.Failed {
			event = label.EventFailed
		}
		made, err = tx.AddCallback(workCallback, store.Callback{BatchID: t.BatchID, Task: t.ID, Event: event, URL: to})
		return err
	})
	return made, err
}
