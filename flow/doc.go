// Package flow has each verb of the loop once: create a dataset, append items,
// annotate, freeze a slice, evaluate … A request or a job calls it; it checks
// what the caller may do, decides, and writes through package store in one
// transaction. It knows no HTTP and no SQL. One noun is one file.
//
// What a caller sends is checked, images go to the blobs and are safe there,
// then one transaction writes the rows that name them, often with the job that
// does what takes long: fetching, decoding, comparing, removing. A job goes on
// where a crash ended it, since every transaction of its leaves a state to go on
// from. A function that is handed to a writing transaction may run twice.
package flow
