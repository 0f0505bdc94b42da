// Package nucleus serves the dataset API that the Python client scale-nucleus
// speaks, versions 0.18 to 0.22. It is thin: decode, call flow, encode. Routes
// are matched on the escaped path, without cleaning it, because ids of users
// hold slashes; one noun is one file.
package nucleus
