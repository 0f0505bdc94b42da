package tensor

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Options say where and how wide an engine computes.
type Options struct {
	Threads int    // of one operation on the CPU; 0 means all cores
	Device  string // "cpu", "cuda" or "cuda:N"; "" means "cpu"
}

// Engine owns the native library's thread. Its methods other than Do, Close,
// Live, Version, Threads and Device must be called inside Do.
type Engine struct {
	lib     *library
	work    chan func()
	stop    func() // tells the goroutine to end
	stopped chan struct{}
	done    chan struct{} // closed when it has
	scopes  [][]*Tensor
	noGrad  bool
	version string
	threads int
	device  string
}

// Open loads the compiled shim (see Find and Build) and with it libtorch, and
// starts the engine's thread. It fails when the shim was built from another
// source, when its libtorch is gone, and when the device is not there.
func Open(shim string, o Options) (*Engine, error) {
	lib, err := openLibrary(shim)
	if err != nil {
		return nil, err
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	if o.Device == "" {
		o.Device = "cpu"
	}
	stopped := make(chan struct{})
	e := &Engine{lib: lib, threads: o.Threads, device: o.Device, work: make(chan func()),
		stop: sync.OnceFunc(func() { close(stopped) }), stopped: stopped, done: make(chan struct{})}
	go e.own()
	if err := e.Do(func() error { return e.start(o) }); err != nil {
		e.Close()
		return nil, fmt.Errorf("open the engine on %s: %w", o.Device, err)
	}
	return e, nil
}

// own is the engine's goroutine. The thread is never unlocked: it ends with the goroutine,
// and libtorch's per-thread state with it.
func (e *Engine) own() {
	runtime.LockOSThread()
	defer close(e.done)
	for {
		select {
		case fn := <-e.work:
			fn()
		case <-e.stopped:
			return
		}
	}
}

func (e *Engine) start(o Options) error {
	kind, index, err := parseDevice(o.Device)
	if err != nil {
		return err
	}
	text := make([]byte, 256)
	e.call("init", 0, args{ints: []int64{int64(o.Threads), kind, index}, text: text})
	e.version = strings.TrimRight(string(text), "\x00") + ", shim " + sourceHash()[:8]
	return nil
}

// Do runs fn on the engine's thread, after all calls before it, and returns its
// error or that of the first operation that failed in it. Tensors made inside
// die when it returns, unless they are kept. Do must not be called from inside
// Do. A panic in fn that is no *Error goes on in the caller, with the stack it came from.
func (e *Engine) Do(fn func() error) error {
	var err error
	var other any
	finished := make(chan struct{})
	task := func() {
		defer close(finished)
		defer e.unwind(len(e.scopes), e.noGrad)
		defer func() { other, err = recovered(recover(), err) }()
		e.scopes = append(e.scopes, nil)
		err = fn()
	}
	select {
	case <-e.done:
		return errors.New("the engine is closed")
	case e.work <- task:
	}
	<-finished
	if other != nil {
		panic(other)
	}
	return err
}

// recovered tells a failed operation, which is an error, from a panic that has
// to go on.
func recovered(p any, err error) (other any, _ error) {
	if failed, ok := p.(*Error); ok {
		return nil, failed
	}
	if p == nil {
		return nil, err
	}
	return fmt.Sprintf("%v\n\non the engine's thread:\n%s", p, debug.Stack()), err
}

// unwind frees the scopes above depth and restores the grad mode.
func (e *Engine) unwind(depth int, noGrad bool) {
	e.noGrad = noGrad
	for len(e.scopes) > depth {
		last := len(e.scopes) - 1
		e.release(e.scopes[last])
		e.scopes = e.scopes[:last]
	}
}

// Close ends the engine's thread after the work already given. Tensors that
// were kept and not freed are lost.
func (e *Engine) Close() error {
	e.stop()
	<-e.done
	return nil
}

// Version returns libtorch's version, the instruction set it uses, the device,
// and the first digits of the hash of the shim's source.
func (e *Engine) Version() string { return e.version }

// Threads returns how many threads one operation uses on the CPU.
func (e *Engine) Threads() int { return e.threads }

// Device returns the device's name as it was given to Open.
func (e *Engine) Device() string { return e.device }

// Live returns how many tensor handles exist in this process: what a leak shows in.
func (e *Engine) Live() int { return e.lib.live() }

// Scope runs fn; tensors made inside die at its end unless Keep or Lift was
// called. What autograd saved lives on in the graph: a forward pass inside a
// Scope that lifts only its loss leaves nothing else alive during backward.
func (e *Engine) Scope(fn func()) {
	defer e.unwind(len(e.scopes), e.noGrad)
	e.scopes = append(e.scopes, nil)
	fn()
}

// NoGrad runs fn without recording operations for autograd.
func (e *Engine) NoGrad(fn func()) {
	defer func(before bool) { e.noGrad = before }(e.noGrad)
	e.noGrad = true
	fn()
}
