// Package label is the work of drawing boxes: who gets which task next, reviews
// and audits, agreement of several people, and how far a result can be trusted.
// It is pure logic with the time handed in: it knows neither SQL nor HTTP.
//
// # A task's states
//
// [Task] is a value. What changes it is a method that returns the changed task,
// the events of the change, or an error that says why not. Every change counts
// up the revision; whoever keeps tasks writes one back only where the revision
// is still the one that was read, and decides anew where it isn't.
//
//	                 Retry
//	        ┌───────────────────── error
//	        │                        ▲ Fail, from every pending state
//	        ▼          Take          │
//	NewTask ─► attempt ────► attempt held ─┬─ Submit, attempts lack ──► attempt
//	             ▲  ▲ ◄──── Return, Skip,  ├─ Submit, the last one ───► review
//	             │  │   lease ran out and  └─ Submit, without review ─► completed
//	             │  │   someone else takes it
//	             │  │
//	             │  │          Take
//	             │  │  review ────► review held ─┬─ accepted or fixed, reviews lack ► review
//	             │  │       ◄──── as above       ├─ accepted or fixed ──► completed
//	             │  └────── next round ──────────┴─ rejected
//	             │
//	             │              Take
//	             │  completed ────► audit held ─┬─ accepted or fixed ──► completed
//	             │       │  ▲ ◄──── as above    ├─ rejected ───────────► completed
//	             │       │                      │
//	             └───────┴──── next round ──────┴─ rejected, where the plan says Redo
//	                  Relabel
//
//	Raise, or as many Skips as the plan allows, sets a pending task aside until
//	Resolve. Cancel ends a pending or failed task that nobody is working on.
//
// The rules that hold in every state:
//   - One person at most holds a task. A lease is over when it is handed in or
//     given back, when the task is canceled, fails or starts a new round, and
//     when it has run out and someone else takes the task. One that ran out but
//     that nobody else has taken still counts, so that no work is lost to a
//     break: its holder may hand in.
//   - What is handed in for a lease that is over is kept as a draft, not
//     dropped (ErrKept). What is handed in twice for one lease counts once.
//   - In a round, nobody does two things to a task: the attempts are by
//     different people, and no review or audit is by someone who has attempted
//     or reviewed what is judged. A new round starts anew.
//   - A quality task's instance is one person's, ends with any submission, and
//     never has a result.
package label
