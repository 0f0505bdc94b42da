// Package label is the work of drawing boxes: who gets which task next, reviews
// and audits, agreement of several people, and how far a result can be trusted.
// It is pure logic with the time handed in: it knows neither SQL nor HTTP.
package label
