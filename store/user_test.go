package store

import (
	"testing"
	"time"

	"remuda"
)

func TestUsersAreFoundByLoginAndKeepWhatIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var made User
		write(t, db, func(tx *Tx) (err error) {
			made, err = tx.CreateUser(User{Login: "ada@example.org", Name: "Ada", Role: remuda.Reviewer, Password: "hash"})
			return err
		})
		write(t, db, func(tx *Tx) error {
			if _, err := tx.CreateUser(User{Login: "ada@example.org", Name: "Other", Role: remuda.Admin}); remuda.CodeOf(err) != remuda.Conflict {
				t.Errorf("a login was taken twice: %v", err)
			}
			return nil
		})
		write(t, db, func(tx *Tx) error {
			u, err := tx.UserByLogin("ada@example.org")
			if u.ID != made.ID || u.Role != remuda.Reviewer || u.CreatedBy != manager.User || u.SeenAt != nil || u.DisabledAt != nil {
				t.Errorf("read back %+v", u)
			}
			if seen, err := tx.NoteLogin(made.ID, "hash"); err != nil || seen.SeenAt == nil || seen.Role != remuda.Reviewer {
				t.Errorf("noted a login: %+v, %v", seen, err)
			}
			if _, err := tx.NoteLogin(made.ID, "another hash"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("logged in with a password that was changed: %v", err)
			}
			u.Role, u.DisabledAt = remuda.Admin, &tx.Now
			if err == nil {
				err = tx.UpdateUser(u)
			}
			return err
		})
		write(t, db, func(tx *Tx) error {
			u, err := tx.User(made.ID)
			if u.Role != remuda.Admin || u.DisabledAt == nil {
				t.Errorf("after the change: %+v", u)
			}
			if _, err := tx.NoteLogin(made.ID, "hash"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a disabled user logged in: %v", err)
			}
			if n, err := tx.CountUsers(remuda.Admin); n != 0 || err != nil {
				t.Errorf("%d admins may log in, the only one is disabled: %v", n, err)
			}
			if n, err := tx.CountUsers(""); n != 0 || err != nil {
				t.Errorf("%d users may log in: %v", n, err)
			}
			return err
		})
	})
}

func TestKeysAreFoundByHashUntilTheyAreRevoked(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var made Key
		write(t, db, func(tx *Tx) (err error) {
			made, err = tx.CreateKey(Key{Hash: "h1", Prefix: "test_abc", Name: "ci", World: remuda.Test, Role: remuda.Manager})
			return err
		})
		write(t, db, func(tx *Tx) error { return tx.TouchKey(made.ID) })
		write(t, db, func(tx *Tx) error { return tx.RevokeKey(made.ID) })
		write(t, db, func(tx *Tx) error {
			k, err := tx.KeyByHash("h1")
			if k.ID != made.ID || k.World != remuda.Test || k.Role != remuda.Manager || k.UsedAt == nil || k.RevokedAt == nil {
				t.Errorf("read back %+v", k)
			}
			if _, err := tx.KeyByHash("h2"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("an unknown key: %v", err)
			}
			keys, err2 := tx.Keys("usr_other")
			if len(keys) != 0 || err2 != nil {
				t.Errorf("keys of another user: %v, %v", keys, err2)
			}
			return err
		})
	})
}

func TestSessionsAreForgottenByAgeAndUse(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var u User
		write(t, db, func(tx *Tx) (err error) {
			u, err = tx.CreateUser(User{Login: "ada", Name: "Ada", Role: remuda.Labeler})
			if err == nil {
				err = tx.CreateSession("old", u.ID)
			}
			return err
		})
		write(t, db, func(tx *Tx) error {
			if err := tx.ForgetSessions(tx.Now.Add(-time.Hour), tx.Now.Add(-time.Hour)); err != nil {
				return err
			}
			_, err := tx.Session("old")
			return err
		})
		write(t, db, func(tx *Tx) error {
			if err := tx.CreateSession("new", u.ID); err != nil {
				return err
			}
			return tx.EndSessions(u.ID, "new")
		})
		write(t, db, func(tx *Tx) error {
			if _, err := tx.Session("old"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("the other session goes on: %v", err)
			}
			_, err := tx.Session("new")
			return err
		})
		write(t, db, func(tx *Tx) error { return tx.ForgetSessions(tx.Now.Add(time.Hour), tx.Now) })
		write(t, db, func(tx *Tx) error {
			if _, err := tx.Session("new"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a session that is too old goes on: %v", err)
			}
			return nil
		})
	})
}

func TestTheAuditLogTellsAWorldItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		for _, action := range []string{"dataset.delete", "user.role", "dataset.restore"} {
			write(t, db, func(tx *Tx) error { return tx.Audit(action, "subject", "why") })
		}
		other := manager
		other.World = remuda.Test
		for _, c := range []struct {
			caller  remuda.Caller
			subject string
			want    []string
		}{
			{manager, "", []string{"dataset.restore", "user.role", "dataset.delete"}},
			{manager, "another", nil},
			{other, "subject", []string{"user.role"}},
		} {
			err := db.Read(t.Context(), c.caller, func(tx *Tx) error {
				var got []string
				for before := ""; ; {
					page, err := tx.AuditBefore(c.subject, before, 1)
					if err != nil || len(page) == 0 {
						if len(got) != len(c.want) {
							t.Errorf("%s about %q: got %v, want %v", c.caller.World, c.subject, got, c.want)
						}
						return err
					}
					if page[0].Name != "Ada" || page[0].Detail != "why" {
						t.Errorf("entry %+v", page[0])
					}
					got, before = append(got, page[0].Action), page[0].ID
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
