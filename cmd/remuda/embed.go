package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/detect"
	"remuda/flow"
	"remuda/tensor"
	"remuda/weights"
)

// The sides of the squares that images are embedded at, in pixels. Torchvision's
// weights have seen large pictures; for the starter's, of small ones, 128 told
// crops of photos apart best among 64 to 320.
const (
	cocoSide    = 224
	starterSide = 128
)

const (
	scratchFolder = "scratch"       // in a server's folder: copies of images, of the job that runs
	embedGrace    = 5 * time.Second // for a child to end; it has nothing to save
)

// embedder makes vectors of images in a child process, one job at a time: the
// lane of these jobs has one worker.
type embedder struct {
	m       *Main
	blobs   *blob.Store
	scratch string
}

// backbone is a model with its file.
type backbone struct {
	flow.EmbeddingModel
	arch, path string
	side       int
}

// Model returns the backbone of a name, or for "" the best one that is here.
func (e *embedder) Model(_ context.Context, name string) (flow.EmbeddingModel, error) {
	if _, err := e.engine(); err != nil {
		return flow.EmbeddingModel{}, err
	}
	b, err := e.backbone(name)
	return b.EmbeddingModel, err
}

// engine finds the engine, at every job: it may have been built meanwhile. One
// processor is left to those who ask the server.
func (e *embedder) engine() (remuda.EngineSpec, error) {
	threads := max(1, runtime.NumCPU()-1)
	spec, err := engineFlags{Threads: &threads, Precision: "float32"}.spec(e.m)
	if _, missing := errors.AsType[*tensor.MissingError](err); missing {
		return spec, noEngine(err)
	}
	return spec, err
}

// noEngine makes a lack of the engine final: waiting does not help.
func noEngine(err error) error {
	hint := "run remuda engine build"
	if known := remuda.HintOf(err); known != "" {
		hint = known
	}
	return remuda.Errorf(remuda.Conflict, "%w", err).
		WithHint("on the server's machine, %s, then index again; remuda doctor says what is missing", hint)
}

// backbone finds a backbone among the weights that are here: the COCO
// detectors', in the order of remuda.Architectures, then the starter's.
func (e *embedder) backbone(name string) (backbone, error) {
	cache, err := e.m.weightsCache()
	if err != nil {
		return backbone{}, err
	}
	for _, arch := range remuda.Architectures {
		b := backbone{arch: arch, side: cocoSide}
		b.Name = weights.COCO + "/" + arch
		if name != "" && name != b.Name {
			continue
		}
		source, err := weights.Find(weights.COCO, arch)
		if err != nil {
			return b, err
		}
		path, cached, err := cache.Path(source)
		if err != nil {
			return b, err
		}
		if cached {
			b.path = path
			return b.known()
		}
	}
	b := backbone{arch: remuda.MobileNetV3Large320, side: starterSide}
	b.Name = weights.Starter + "/" + b.arch
	if name != "" && name != b.Name {
		return b, remuda.Errorf(remuda.Conflict, "the weights %s are not here any more", name).WithHint("index again, or get them back with remuda weights pull")
	}
	if b.path, err = cache.WriteStarter(); err != nil {
		return b, err
	}
	return b.known()
}

// known returns b with what is known of its file.
func (b backbone) known() (_ backbone, err error) {
	b.Dimension = detect.EmbeddingDimension(b.arch)
	b.SHA256, err = weights.SHA256(b.path)
	return b, err
}

// Embed has a child process make the vectors of images.
func (e *embedder) Embed(ctx context.Context, model flow.EmbeddingModel, images []blob.Ref, done func(i int, vector []float32, problem error) error) error {
	engine, err := e.engine()
	if err != nil {
		return err
	}
	b, err := e.backbone(model.Name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(e.scratch) // what stays is removed the next time
	files, of, err := e.lay(ctx, images, done)
	if err != nil || len(files) == 0 {
		return err
	}
	started := false
	spec := remuda.EmbedSpec{Arch: b.arch, Weights: b.path, SHA256: model.SHA256, Side: b.side, Files: files}
	err = launch(ctx, embedGrace, remuda.Spec{Engine: engine, Embed: &spec}, func(event remuda.Event, _ []byte) error {
		started = started || event.Start != nil
		switch found := event.Embedding; {
		case found == nil:
			return nil
		case found.Index < 0 || found.Index >= len(files):
			return remuda.Errorf(remuda.Internal, "the child process made a vector of image %d of %d", found.Index, len(files))
		case found.Error != "":
			said := strings.ReplaceAll(found.Error, " "+files[found.Index], "") // where files lie concerns nobody
			return done(of[found.Index], nil, errors.New(said))
		default:
			return done(of[found.Index], found.Vector, nil)
		}
	})
	if !started && remuda.CodeOf(err) == remuda.Unavailable {
		return noEngine(err)
	}
	return err
}

// lay returns files with the images' bytes, and which image each has. Images
// that are gone or damaged are done with.
func (e *embedder) lay(ctx context.Context, images []blob.Ref, done func(int, []float32, error) error) (files []string, of []int, err error) {
	if err := os.RemoveAll(e.scratch); err != nil {
		return nil, nil, unlaid(err)
	}
	for i, ref := range images {
		path, local := e.blobs.LocalPath(ref)
		if !local {
			path = filepath.Join(e.scratch, fmt.Sprint(i))
			err := e.copy(ctx, ref, path)
			if gone := remuda.CodeOf(err) == remuda.NotFound; gone || errors.Is(err, blob.ErrCorrupt) {
				if err := done(i, nil, err); err != nil {
					return nil, nil, err
				}
				continue
			}
			if err != nil {
				return nil, nil, err
			}
		}
		files, of = append(files, path), append(of, i)
	}
	return files, of, nil
}

// copy copies a blob into a file.
func (e *embedder) copy(ctx context.Context, ref blob.Ref, path string) (err error) {
	if err := os.MkdirAll(e.scratch, 0o700); err != nil {
		return unlaid(err)
	}
	from, err := e.blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return unlaid(err)
	}
	_, err = io.Copy(to, from)
	if closed := to.Close(); err == nil && closed != nil {
		err = unlaid(closed)
	}
	return err
}

func unlaid(err error) error {
	return remuda.Errorf(remuda.Unavailable, "copy images to where the engine reads them: %w", err).WithHint("look whether the server's folder has room")
}
