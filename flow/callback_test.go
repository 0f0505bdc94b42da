package flow_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/label"
	"remuda/store"
)

func TestTasksWithoutAnAddressTellTheUsualOne(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	admin := o.manager
	admin.Role = remuda.Admin
	o.manager.Role = remuda.Manager
	for _, wrong := range []string{"no address", "ftp://calls.test/", "https://"} {
		if _, err := o.SetCallbackURL(t.Context(), admin, wrong); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := o.SetCallbackURL(t.Context(), o.manager, "http://calls.test/all"); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("set by a manager: %v", err)
	}
	s, err := o.SetCallbackURL(t.Context(), admin, "http://calls.test/all")
	if err != nil || s.URL != "http://calls.test/all" || !strings.HasPrefix(s.Key, "live_") {
		t.Fatalf("%+v %v", s, err)
	}
	for _, c := range []struct{ callback, want string }{
		{"", "http://calls.test/all task completed completed"},
		{"http://calls.test/own", "http://calls.test/own task completed completed"},
	} {
		o.told = nil
		if _, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: json.RawMessage(boxParams), Callback: c.callback}); err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		o.do(t, "ada")
		flowtest.Drain(t, o.Flow)
		if !slices.Equal(o.told, []string{c.want}) {
			t.Errorf("%q: told %q", c.callback, o.told)
		}
	}
}

func TestMailAddressIsTakenAndItsCallbackSaysThatNoMailIsSent(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		n := flow.NewTask{Params: json.RawMessage(boxParams), Callback: "not an address"}
		if _, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, n); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%q: %v", n.Callback, err)
		}
		n.Callback = "ada@example.org"
		made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, n)
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		o.do(t, "ada")
		flowtest.Drain(t, o.Flow)
		list, err := o.Callbacks(t.Context(), o.manager, store.CallbackFilter{Task: made.ID})
		if err != nil || len(list) != 1 || list[0].Status != store.CallbackFailed || !strings.Contains(list[0].Answer, "no mail") || len(o.told) > 0 {
			t.Errorf("%+v, told %q: %v", list, o.told, err)
		}
		got, err := o.Task(t.Context(), o.manager, made.ID)
		if err != nil || got.Status != label.Completed || got.CallbackOK == nil || *got.CallbackOK {
			t.Errorf("the task doesn't know that nobody was told: %v", err)
		}
	})
}
