// Package client talks to a Remuda server through its own API, for programs and
// for our own command. Every method is one call of the API; what the server
// refuses comes back as a *remuda.Error with its code and hint. Calls that can
// be repeated without harm are, with growing pauses, while the server is out of
// reach or says that it is.
package client
