// Package contract holds the tests in which released clients of other
// services, unmodified, talk to the real program.
package contract
