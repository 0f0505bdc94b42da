package flow

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"
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

// callBack adds a callback, if there is an address to call.
func callBack(tx *store.Tx, c store.Callback) error {
	if !isWeb(c.URL) {
		return nil // none, or a mail address: this server sends no mail
	}
	_, err := tx.AddCallback(workCallback, c)
	return err
}

// CallbackKey returns what a callback's receiver recognises this server by, in
// the header scale-callback-auth; managers only.
func (f *Flow) CallbackKey(ctx context.Context, caller remuda.Caller) (key string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return "", err
	}
	return f.callbackKey(ctx, caller.World)
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
// before; managers only. invalid if it has no address.
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
		if !isWeb(t.Callback) {
			return remuda.Errorf(remuda.Invalid, "task %s has no callback_url", id)
		}
		event := label.EventCompleted
		if t.Status == label.Failed {
			event = label.EventFailed
		}
		made, err = tx.AddCallback(workCallback, store.Callback{BatchID: t.BatchID, Task: t.ID, Event: event, URL: t.Callback})
		return err
	})
	return made, err
}
