// Package flow has each verb of the loop once: create a dataset, append items,
// annotate, freeze a slice, evaluate … A request or a job calls it; it checks
// what the caller may do, decides, and writes through package store in one
// transaction. It knows no HTTP and no SQL. One noun is one file.
package flow
