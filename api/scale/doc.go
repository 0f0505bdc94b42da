// Package scale serves the labeling API that the Python client scaleapi speaks,
// at /v1: the wire shapes, and nothing else. Projects, batches and groups are
// named by their names, tasks by their ids or unique ids.
package scale
