// Package own is our own HTTP API, for the page, the commands and whoever
// writes programs: it decodes requests into package wire's types, calls flow
// and encodes what it returns. The OpenAPI 3.1 document is made from the same
// types and routes, and is served with a page to read it in.
package own
