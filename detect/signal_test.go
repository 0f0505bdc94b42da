package detect

import (
	"io"
	"runtime/pprof"
	"testing"

	"remuda"
	"remuda/internal/enginetest"
)

// A signal whose handler ran on the stack of one of OpenMP's threads would
// overwrite what oneDNN's generated code keeps there, and corrupt the heap. A
// profile sends many.
func TestStepBearsSignals(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer pprof.StopCPUProfile()
	inEngine(t, enginetest.Open(t), small(remuda.MobileNetV3Large320, 3, 6), 1, func(m *Model) error {
		m.Losses(Transform(m.config, referenceImages()), referenceTargets(), seeded()).Total.Backward()
		return nil
	})
}
