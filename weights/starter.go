package weights

import (
	_ "embed"
	"io"
	"os"
	"path/filepath"

	"remuda"
	"remuda/internal/disk"
)

//go:embed starter/mobilenet_v3_large-tiny-imagenet.safetensors
var starter string

// StarterFile is the name of the starter backbone's file.
const StarterFile = "mobilenet_v3_large-tiny-imagenet.safetensors"

// StarterFor fails for an architecture that the starter backbone, a
// MobileNetV3-Large, does not fit.
func StarterFor(arch string) error {
	if arch == remuda.MobileNetV3LargeFPN || arch == remuda.MobileNetV3Large320 {
		return nil
	}
	return remuda.Errorf(remuda.Invalid, "the starter weights are for MobileNetV3-Large, not for %s", arch).
		WithHint("add --arch %s, or choose other weights", remuda.MobileNetV3Large320)
}

// StarterEntries lists the starter backbone, once for each architecture that
// it fits, as Cache.List lists the rest.
func StarterEntries() []Entry {
	var entries []Entry
	for _, arch := range remuda.Architectures {
		if StarterFor(arch) == nil {
			source := Source{Name: Starter, Arch: arch, File: StarterFile, Origin: "Tiny-ImageNet-200, top-1 21.6 %"}
			entries = append(entries, Entry{Source: source, Size: int64(len(starter)), Cached: true})
		}
	}
	return entries
}

// WriteStarter puts the starter backbone into the cache, so that another
// process can open it, and returns its path.
func (c Cache) WriteStarter() (string, error) {
	path := filepath.Join(c.Dir, StarterFile)
	if there, err := os.ReadFile(path); err == nil && string(there) == starter {
		return path, nil
	}
	if err := c.makeDir(); err != nil {
		return "", err
	}
	err := disk.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, starter)
		return err
	})
	if err != nil {
		return "", diskError(err, "write the starter weights")
	}
	return path, nil
}
