// Package jobs runs background work that survives a crash. It knows no kinds
// of work: each kind is a name with a [Handler], its arguments are JSON.
//
// Jobs are rows of River (github.com/riverqueue/river) in the database of
// everything else, so a job is inserted in the transaction of the row it
// serves: both exist or neither.
//
//	           at its time
//	scheduled ────────────► available ──────────► running ──► completed
//	                          ▲   ▲                │ │ │
//	                          │   └── stopped, ────┘ │ └────► cancelled: by [Queue.Cancel],
//	             after a delay│       or its         │                   or failed for good
//	                          │       process died   │
//	                       retryable ◄── failed ─────┴──────► discarded: failed once too often
//
// A job runs at least once: it runs again when its process died before the
// database learned of its end, at worst a quarter of a second after the
// handler returned. Handlers must therefore be safe to run again.
//
// # Whose jobs are dead
//
// A SQLite database has one process with workers, which the lock on its folder
// ensures; so whatever is running when [Queue.Start] is called was left by a
// dead one, and is made available at once. On PostgreSQL several processes
// work. Each renews a row of its own every 10 seconds, by the clock of the
// database; jobs of a process that has not done so for a minute are made
// available by the others. A process that could not renew for 40 seconds
// cancels what it runs, so that nothing runs twice at once. A living process
// gives back what the database says it runs and it has not for 40 seconds: the
// line between them broke at the wrong moment.
//
// A crash is not counted as a failed attempt. A job that 20 processes died of
// fails for good, lest it bring down every next one.
package jobs
