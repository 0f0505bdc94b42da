// Package deploy turns a model into answers. It knows local paths only.
package deploy
