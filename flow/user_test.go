package flow_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
)

// clocked is a flow whose clock a test moves.
func clocked(t *testing.T) (*flow.Flow, *time.Time) {
	t.Helper()
	f, _ := flowtest.New(t)
	now := time.Now()
	var mu sync.Mutex
	f.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	return f, &now
}

var local = flow.Local(remuda.Live)

func addUser(t *testing.T, f *flow.Flow, login string, role remuda.Role) (id, password string) {
	t.Helper()
	u, password, err := f.CreateUser(t.Context(), local, flow.NewUser{Login: login, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID, password
}

func TestLoginOpensASessionOfTheUsersRole(t *testing.T) {
	f, now := clocked(t)
	id, password := addUser(t, f, "Ada@Example.org", remuda.Reviewer)
	token, u, err := f.Login(t.Context(), " ada@example.ORG", password, "192.0.2.1")
	if err != nil || u.ID != id || u.SeenAt == nil {
		t.Fatalf("login: %+v, %v", u, err)
	}
	for _, world := range []remuda.World{remuda.Live, remuda.Test} {
		caller, err := f.SessionCaller(t.Context(), token, world)
		if err != nil || caller.User != id || caller.Role != remuda.Reviewer || caller.World != world || caller.Key != "" {
			t.Errorf("in %s the caller is %+v, %v", world, caller, err)
		}
	}
	if _, err := f.SessionCaller(t.Context(), token, "both"); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("an unknown world: %v", err)
	}
	*now = now.Add(flow.SessionIdle - time.Hour)
	if _, err := f.SessionCaller(t.Context(), token, remuda.Live); err != nil {
		t.Errorf("before it was idle for too long: %v", err)
	}
	*now = now.Add(flow.SessionIdle + time.Hour)
	if _, err := f.SessionCaller(t.Context(), token, remuda.Live); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("an idle session goes on: %v", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	f, _ := clocked(t)
	id, password := addUser(t, f, "ada", remuda.Reviewer)
	addUser(t, f, "root", remuda.Admin)
	login := func(password string) string {
		token, _, err := f.Login(t.Context(), "ada", password, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, end := range map[string]func(token string) error{
		"at logout":   func(token string) error { return f.Logout(t.Context(), token) },
		"by password": func(string) error { p, err := f.SetPassword(t.Context(), local, id, ""); password = p; return err },
		"disabled": func(string) error {
			if _, err := f.DisableUser(t.Context(), local, id); err != nil {
				return err
			}
			_, _, err := f.Login(t.Context(), "ada", password, "192.0.2.2")
			if remuda.CodeOf(err) != remuda.Unauthorized {
				t.Errorf("a disabled user logs in: %v", err)
			}
			_, err = f.EnableUser(t.Context(), local, id)
			return err
		},
	} {
		token := login(password)
		if err := end(token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.SessionCaller(t.Context(), token, remuda.Live); remuda.CodeOf(err) != remuda.Unauthorized {
			t.Errorf("%s: the session goes on: %v", name, err)
		}
	}
}

func TestWrongLoginsAllReadTheSameAndAreSlowedDown(t *testing.T) {
	f, now := clocked(t)
	_, password := addUser(t, f, "ada", remuda.Reviewer)
	said := make(map[string]bool)
	for _, c := range [][2]string{{"ada", "wrong"}, {"nobody", password}, {"", ""}, {"ada", strings.Repeat("x", 5000)}} {
		_, _, err := f.Login(t.Context(), c[0], c[1], "192.0.2.1")
		if err == nil {
			t.Fatalf("%q opens %q", c[1], c[0])
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers tell users from others: %v", said)
	}
	var err error
	for range 20 {
		_, _, err = f.Login(t.Context(), "ada", "x", "192.0.2.1")
	}
	if remuda.CodeOf(err) != remuda.Unavailable {
		t.Errorf("after 20 attempts: %v", err)
	}
	if _, _, err := f.Login(t.Context(), "ada", password, "198.51.100.7"); remuda.CodeOf(err) != remuda.Unavailable {
		t.Errorf("another address guesses on: %v", err)
	}
	*now = now.Add(time.Minute)
	if _, _, err := f.Login(t.Context(), "ada", password, "192.0.2.1"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestOneAdminStays(t *testing.T) {
	f, _ := clocked(t)
	id, _ := addUser(t, f, "root", remuda.Admin)
	if _, err := f.SetRole(t.Context(), local, id, remuda.Manager); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("the last admin becomes a manager: %v", err)
	}
	if _, err := f.DisableUser(t.Context(), local, id); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("the last admin is disabled: %v", err)
	}
	addUser(t, f, "second", remuda.Admin)
	if _, err := f.SetRole(t.Context(), local, id, remuda.Manager); err != nil {
		t.Errorf("with a second admin: %v", err)
	}
}

func TestAKeyOpensNoMoreThanItsUserMay(t *testing.T) {
	f, _ := clocked(t)
	root, _ := addUser(t, f, "root", remuda.Admin)
	addUser(t, f, "second", remuda.Admin)
	key, row, err := f.CreateKey(t.Context(), local, flow.NewKey{Name: "ci", User: root, World: remuda.Test, Role: remuda.Manager})
	if err != nil || !strings.HasPrefix(key, "test_") || len(key) < 50 || strings.Contains(row.Prefix, key) {
		t.Fatalf("key %q, row %+v, %v", key, row, err)
	}
	caller, err := f.KeyCaller(t.Context(), key)
	if err != nil || caller.Role != remuda.Manager || caller.World != remuda.Test || caller.User != root || caller.Key != row.ID {
		t.Errorf("caller %+v, %v", caller, err)
	}
	if _, err := f.SetRole(t.Context(), local, root, remuda.Labeler); err != nil {
		t.Fatal(err)
	}
	if caller, err = f.KeyCaller(t.Context(), key); err != nil || caller.Role != remuda.Labeler {
		t.Errorf("after the user became a labeler: %+v, %v", caller, err)
	}
	if _, err := f.DisableUser(t.Context(), local, root); err != nil {
		t.Fatal(err)
	}
	if _, err = f.KeyCaller(t.Context(), key); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("the key of a disabled user: %v", err)
	}
}

func TestARevokedKeyOpensNothing(t *testing.T) {
	f, _ := clocked(t)
	key, row, err := f.CreateKey(t.Context(), local, flow.NewKey{Name: "ci", World: remuda.Live, Role: remuda.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.KeyCaller(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeKey(t.Context(), local, row.ID); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{key, "", "live_", "test_" + key[5:], key + "x"} {
		if _, err := f.KeyCaller(t.Context(), k); remuda.CodeOf(err) != remuda.Unauthorized {
			t.Errorf("key %q: %v", k, err)
		}
	}
	keys, err := f.Keys(t.Context(), local)
	if err != nil || len(keys) != 1 || keys[0].UsedAt == nil || keys[0].RevokedAt == nil || keys[0].Hash == key {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	log, err := f.AuditLog(t.Context(), local, row.ID, "", 10)
	if err != nil || len(log) != 2 || log[0].Action != "key.revoke" || log[1].Action != "key.create" {
		t.Errorf("audit log: %+v, %v", log, err)
	}
	for _, entry := range log {
		if strings.Contains(entry.Detail, key) {
			t.Error("the audit log has the key")
		}
	}
}

func TestAdminAffairsAreForAdmins(t *testing.T) {
	f, manager := flowtest.New(t)
	ctx := t.Context()
	for name, err := range map[string]error{
		"create user": func() error {
			_, _, err := f.CreateUser(ctx, manager, flow.NewUser{Login: "x", Role: remuda.Labeler})
			return err
		}(),
		"users":    func() error { _, err := f.Users(ctx, manager); return err }(),
		"role":     func() error { _, err := f.SetRole(ctx, manager, manager.User, remuda.Admin); return err }(),
		"password": func() error { _, err := f.SetPassword(ctx, manager, manager.User, ""); return err }(),
		"disable":  func() error { _, err := f.DisableUser(ctx, manager, "usr"); return err }(),
		"create key": func() error {
			_, _, err := f.CreateKey(ctx, manager, flow.NewKey{Name: "x", World: remuda.Live, Role: remuda.Labeler})
			return err
		}(),
		"keys":      func() error { _, err := f.Keys(ctx, manager); return err }(),
		"revoke":    f.RevokeKey(ctx, manager, "key"),
		"audit log": func() error { _, err := f.AuditLog(ctx, manager, "", "", 1); return err }(),
		"backup":    func() error { _, err := f.Backup(ctx, manager, nil, ""); return err }(),
		"restore":   func() error { _, err := f.Restore(ctx, manager, nil); return err }(),
	} {
		if remuda.CodeOf(err) != remuda.Unauthorized {
			t.Errorf("a manager may %s: %v", name, err)
		}
	}
}

func TestUsersChooseGoodNamesAndPasswords(t *testing.T) {
	f, _ := flowtest.New(t)
	for name, n := range map[string]flow.NewUser{
		"no login":       {Role: remuda.Labeler},
		"spaces":         {Login: "a b", Role: remuda.Labeler},
		"long login":     {Login: strings.Repeat("a", 255), Role: remuda.Labeler},
		"no role":        {Login: "ada"},
		"unknown role":   {Login: "ada", Role: "boss"},
		"short password": {Login: "ada", Role: remuda.Labeler, Password: "123456789"},
		"long password":  {Login: "ada", Role: remuda.Labeler, Password: strings.Repeat("a", 1001)},
		"long name":      {Login: "ada", Name: strings.Repeat("a", 501), Role: remuda.Labeler},
	} {
		if _, _, err := f.CreateUser(t.Context(), local, n); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" && name != "long name" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChangingAPasswordTakesTheOldOneAndKeepsThisSession(t *testing.T) {
	f, _ := clocked(t)
	addUser(t, f, "root", remuda.Admin)
	id, old := addUser(t, f, "ada", remuda.Labeler)
	here, _, err := f.Login(t.Context(), "ada", old, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	there, _, err := f.Login(t.Context(), "ada", old, "192.0.2.2")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := f.SessionCaller(t.Context(), here, remuda.Live)
	if err != nil || caller.User != id {
		t.Fatal(caller, err)
	}
	if err := f.ChangePassword(t.Context(), caller, here, "not the old", "a new password"); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("with a wrong old password: %v", err)
	}
	if err := f.ChangePassword(t.Context(), caller, here, old, "a new password"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SessionCaller(t.Context(), here, remuda.Live); err != nil {
		t.Errorf("this session has ended: %v", err)
	}
	if _, err := f.SessionCaller(t.Context(), there, remuda.Live); err == nil {
		t.Error("the other session goes on")
	}
	if _, _, err := f.Login(t.Context(), "ada", "a new password", "192.0.2.1"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestTheFirstStartMakesOneAdminOnce(t *testing.T) {
	f, _ := flowtest.New(t)
	first, err := f.FirstStart(t.Context())
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if again, err := f.FirstStart(t.Context()); again != nil || err != nil {
		t.Errorf("the second start: %v, %v", again, err)
	}
	if _, u, err := f.Login(t.Context(), first.Login, first.Password, "::1"); err != nil || u.Role != remuda.Admin {
		t.Errorf("the first login: %+v, %v", u, err)
	}
	caller, err := f.KeyCaller(t.Context(), first.Key)
	if err != nil || caller.Role != remuda.Admin || caller.World != remuda.Live || caller.User == "" {
		t.Errorf("the first key: %+v, %v", caller, err)
	}
}
