package own

import (
	"context"

	"remuda/store"
	"remuda/wire"
)

func (s *Server) callbackRoutes() {
	handle(s, route{at: "GET /callbacks", id: "listCallbacks", summary: "What was and will be told to users' addresses", about: "Newest first."}, s.callbacks)
	act(s, route{at: "POST /tasks/{task}/callback", id: "resendCallback", summary: "Tell of a task as it is now"}, func(ctx context.Context, c *call, in *OfTask) error {
		_, err := s.Flow.ResendCallback(ctx, c.caller, in.Task)
		return err
	})
	handle(s, route{
		at: "GET /callbacks/settings", id: "getCallbackSettings", summary: "Who is told of tasks that name no address, and the key that callbacks bear",
	}, func(ctx context.Context, c *call, _ *struct{}) (wire.CallbackSettings, error) {
		found, err := s.Flow.CallbackSettings(ctx, c.caller)
		return wire.CallbackSettings(found), err
	})
	handle(s, route{at: "PUT /callbacks/settings", id: "setCallbackURL", summary: "Say who is told of tasks that name no address", about: "For admins. It holds from now on, for tasks that are there too."}, func(ctx context.Context, c *call, in *struct{ Body wire.CallbackURL }) (wire.CallbackSettings, error) {
		found, err := s.Flow.SetCallbackURL(ctx, c.caller, in.Body.URL)
		return wire.CallbackSettings(found), err
	})
}

func (s *Server) callbacks(ctx context.Context, c *call, in *struct {
	Paging
	Batch  string `query:"batch" doc:"Only those of this batch: id."`
	Task   string `query:"task" doc:"Only those of this task: id."`
	Status string `query:"status" enum:"waiting,done,failed"`
},
) (out wire.Callbacks, err error) {
	f := store.CallbackFilter{BatchID: in.Batch, Task: in.Task, Status: store.CallbackStatus(in.Status), Before: in.Cursor, Limit: in.Limit + 1}
	found, err := s.Flow.Callbacks(ctx, c.caller, f)
	page, more := cut(found, in.Limit)
	out.Callbacks = list(page, func(b store.Callback) wire.Callback {
		return wire.Callback{
			ID: b.ID, Batch: b.BatchID, Task: b.Task, Event: string(b.Event), URL: b.URL, Status: string(b.Status), Attempts: b.Attempts, NextAt: momentOf(b.NextAt),
			Answer: b.Answer, CreatedAt: wire.NewTime(b.CreatedAt), UpdatedAt: wire.NewTime(b.UpdatedAt),
		}
	})
	if more {
		out.Next = page[len(page)-1].ID
	}
	return out, err
}
