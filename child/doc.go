// Package child runs heavy work in a process of its own: this binary again,
// under a verb that users don't see. A crash or an out-of-memory there costs
// one piece of work, never the parent.
//
// The contract between the two:
//
//   - the parent writes one line, the spec, to the child's standard input and
//     then keeps that pipe open; when it closes, the parent is gone and the child
//     ends at once, so that nobody writes into a folder that another process has
//     taken over;
//   - the child prints one JSON object a line, the events, to its standard
//     output and nothing else there;
//   - on SIGTERM the child saves what it has and ends; a child that takes too
//     long is killed;
//   - what it prints to standard error is kept, the last 8 KiB of it, for the
//     sentence that says why it died.
//
// The package knows nothing of what specs and events mean.
package child
