package tensor

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

const (
	maxOut = 2 // outputs of one call
	maxDim = 8
)

// args are the arguments of one call into the shim.
type args struct {
	in     []*Tensor // nil entries are absent tensors
	ints   []int64
	floats []float64
	data   unsafe.Pointer // host memory to read or to fill
	data2  unsafe.Pointer
	text   []byte // to fill with text
}

// frame mirrors the shim's struct Call, field by field.
type frame struct {
	in      unsafe.Pointer
	nIn     int64
	ints    unsafe.Pointer
	nInts   int64
	floats  unsafe.Pointer
	nFloats int64
	data    unsafe.Pointer
	data2   unsafe.Pointer
	text    unsafe.Pointer
	nText   int64
	grad    int64
	out     [maxOut]outFrame
	err     [1024]byte
}

// outFrame mirrors the shim's struct Out: a new handle, with what Go wants to know of it.
type outFrame struct {
	handle uintptr // 0 for an absent tensor
	dtype  int64
	dims   int64
	shape  [maxDim]int64
}

// library is the loaded shim: the addresses of its functions by name.
type library struct {
	handle uintptr
	funcs  map[string]uintptr
	frame  *frame // on the heap: Go may move stacks during a call
	in     []uintptr
}

// setOpenMP sets what libgomp reads once, when it is loaded.
func setOpenMP() error {
	// Waiting threads would otherwise spin, and starve decoding and the server.
	if os.Getenv("OMP_WAIT_POLICY") == "" {
		if err := os.Setenv("OMP_WAIT_POLICY", "passive"); err != nil {
			return fmt.Errorf("set OMP_WAIT_POLICY: %w", err)
		}
	}
	// With fewer threads than it asked for, oneDNN waits forever for the rest.
	for _, name := range []string{"OMP_THREAD_LIMIT", "OMP_DYNAMIC"} {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("unset %s: %w", name, err)
		}
	}
	return nil
}

func openLibrary(path string) (*library, error) {
	if err := setOpenMP(); err != nil {
		return nil, err
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, &MissingError{Err: fmt.Errorf("load the engine %s: %w", path, err), Hint: "run remuda engine build; it makes a new one for the libtorch that is installed now"}
	}
	l := &library{handle: handle, funcs: map[string]uintptr{}, frame: new(frame)}
	hash := make([]byte, 64)
	source, err := purego.Dlsym(handle, "remuda_source")
	if err == nil {
		purego.SyscallN(source, uintptr(unsafe.Pointer(unsafe.SliceData(hash))), uintptr(len(hash)))
	}
	if string(hash) != sourceHash() {
		return nil, &MissingError{Err: fmt.Errorf("the engine %s was built from another source than this program's", path), Hint: "run remuda engine build"}
	}
	return l, nil
}

func (l *library) address(name string) uintptr {
	if f, ok := l.funcs[name]; ok {
		return f
	}
	f, err := purego.Dlsym(l.handle, "remuda_"+name)
	if err != nil {
		panic(&Error{Op: name, Text: err.Error()})
	}
	l.funcs[name] = f
	return f
}

func (l *library) live() int {
	f, err := purego.Dlsym(l.handle, "remuda_live")
	if err != nil {
		return -1
	}
	n, _, _ := purego.SyscallN(f)
	return int(n)
}

// call runs one function of the shim and returns n outputs, in the current scope; absent ones are nil.
func (e *Engine) call(name string, n int, a args) []*Tensor {
	l, f := e.lib, e.lib.frame
	if len(e.scopes) == 0 {
		panic(&Error{Op: name, Text: "called outside of Do"})
	}
	l.in = l.in[:0]
	for i, t := range a.in {
		switch {
		case t == nil:
			l.in = append(l.in, 0)
		case t.handle == 0:
			panic(&Error{Op: name, Text: fmt.Sprintf("argument %d, of shape %v, was freed", i, t.shape)})
		case t.e != e:
			panic(&Error{Op: name, Text: fmt.Sprintf("argument %d belongs to another engine", i)})
		default:
			l.in = append(l.in, t.handle)
		}
	}
	*f = frame{
		in: unsafe.Pointer(unsafe.SliceData(l.in)), nIn: int64(len(l.in)),
		ints: unsafe.Pointer(unsafe.SliceData(a.ints)), nInts: int64(len(a.ints)),
		floats: unsafe.Pointer(unsafe.SliceData(a.floats)), nFloats: int64(len(a.floats)),
		data: a.data, data2: a.data2,
		text: unsafe.Pointer(unsafe.SliceData(a.text)), nText: int64(len(a.text)),
		grad: flag(!e.noGrad),
	}
	status, _, _ := purego.SyscallN(l.address(name), uintptr(unsafe.Pointer(f)))
	runtime.KeepAlive(a)
	if int32(status) != 0 {
		text, _, _ := strings.Cut(string(f.err[:]), "\x00")
		panic(&Error{Op: name, Text: text})
	}
	out := make([]*Tensor, n)
	for i := range out {
		out[i] = e.wrap(f.out[i])
	}
	return out
}

func (e *Engine) wrap(o outFrame) *Tensor {
	if o.handle == 0 {
		return nil
	}
	t := &Tensor{e: e, handle: o.handle, dtype: DType(o.dtype), shape: make([]int, o.dims)}
	for i := range t.shape {
		t.shape[i] = int(o.shape[i])
	}
	e.adopt(t, len(e.scopes)-1)
	return t
}

// release frees handles and marks their tensors as dead.
func (e *Engine) release(list []*Tensor) {
	if len(list) == 0 {
		return
	}
	handles := make([]uintptr, len(list))
	for i, t := range list {
		handles[i] = t.handle
		t.handle, t.scope = 0, -1
	}
	purego.SyscallN(e.lib.address("free"), uintptr(unsafe.Pointer(unsafe.SliceData(handles))), uintptr(len(handles)))
	runtime.KeepAlive(handles)
}

// parseDevice returns the shim's number of a device's kind, 0 for cpu and 1 for cuda, and its index.
func parseDevice(name string) (kind, index int64, err error) {
	if name == "cpu" {
		return 0, 0, nil
	}
	rest, ok := strings.CutPrefix(name, "cuda")
	if ok && rest == "" {
		return 1, 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, ":"))
	if !ok || err != nil || n < 0 || !strings.HasPrefix(rest, ":") {
		return 0, 0, fmt.Errorf("no device is called %q: give cpu or cuda:N", name)
	}
	return 1, int64(n), nil
}
