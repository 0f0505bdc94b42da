package weights

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"remuda"
)

// The limits of one pickle. That of a detector with its optimizer takes less
// than 200 kB and 20,000 objects.
const (
	maxPickle  = 16 << 20 // bytes
	maxObjects = 1 << 20  // containers, and values on the stack
)

// What a pickle of tensors is made of. Besides these a value is nil, a bool, an
// int64, a float64 or a string.
type (
	list  struct{ items []any }
	tuple []any
	dict  struct{ keys, values []any }
	// mark separates the arguments of an instruction on the stack.
	mark struct{}
	// global is a name that REDUCE may call, or a storage's class; one of those in globals.
	global string
	// storage is the memory that tensors are views of.
	storage struct {
		dtype  dtype
		key    string
		offset int64 // in elements, of a view into the storage of that key
		length int64 // in elements
	}
	// tensor is a view of a storage.
	tensor struct {
		storage        storage
		offset         int64 // in elements
		shape, strides []int
	}
)

// The names that a pickle of tensors needs. Every other one is refused where it
// is named, so that nothing is ever called but the few functions below.
const (
	orderedDict      global = "collections.OrderedDict"
	rebuildTensor    global = "torch._utils._rebuild_tensor"
	rebuildTensorV2  global = "torch._utils._rebuild_tensor_v2"
	rebuildParameter global = "torch._utils._rebuild_parameter"
)

// storageType returns the type of a storage class's numbers, "" for another name.
func storageType(g global) dtype {
	switch g {
	case "torch.DoubleStorage":
		return float64Type
	case "torch.FloatStorage":
		return float32Type
	case "torch.HalfStorage":
		return float16Type
	case "torch.BFloat16Storage":
		return bfloat16Type
	case "torch.LongStorage":
		return int64Type
	case "torch.IntStorage":
		return int32Type
	case "torch.ShortStorage":
		return int16Type
	case "torch.CharStorage":
		return int8Type
	case "torch.ByteStorage":
		return uint8Type
	case "torch.BoolStorage":
		return boolType
	}
	return ""
}

// unpickler is a stack machine for the instructions that tensors need, after
// https://docs.python.org/3/library/pickletools.html. It has no recursion, and
// memory grows with the bytes it has read, at most maxPickle.
type unpickler struct {
	in      *bufio.Reader
	read    int64 // bytes taken from in
	stack   []any
	memo    map[uint32]any
	types   map[string]dtype // of the storages that were named, by key
	objects int
}

// unpickled is the value of a pickle and what was learned on the way.
type unpickled struct {
	value  any
	length int64            // of the pickle, in bytes
	types  map[string]dtype // of every storage that it names, by key
}

// unpickle reads one pickle, up to its STOP.
func unpickle(r *bufio.Reader) (unpickled, error) {
	u := &unpickler{in: r, memo: make(map[uint32]any), types: make(map[string]dtype)}
	for {
		op, err := u.byte()
		if err != nil {
			return unpickled{}, err
		}
		if op == '.' {
			value, err := u.pop()
			return unpickled{value, u.read, u.types}, err
		}
		if err := u.step(op); err != nil {
			return unpickled{}, err
		}
		if len(u.stack) > maxObjects || u.objects > maxObjects || len(u.memo) > maxObjects {
			return unpickled{}, fmt.Errorf("its pickle holds more than %d objects", maxObjects)
		}
	}
}

// step carries out one instruction.
func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		return u.skip(1)
	case 0x95: // FRAME: a hint on buffering
		return u.skip(8)
	case '(', '}', ']', ')', 'N', 0x88, 0x89:
		return u.constant(op)
	case 'K', 'M', 'J', 0x8a, 'G':
		return u.number(op)
	case 'X', 0x8c, 'U', 'T':
		return u.text(op)
	case 'q', 'r', 0x94, 'h', 'j':
		return u.remember(op)
	case 't', 0x85, 0x86, 0x87:
		return u.tuple(op)
	case 'a', 'e', 's', 'u', 'b':
		return u.fill(op)
	case 'c', 0x93:
		return u.global(op)
	case 'R':
		return u.reduce()
	case 'Q':
		return u.persistent()
	case '0': // POP
		_, err := u.pop()
		return err
	}
	return fmt.Errorf("its pickle has the instruction %#02x, which tensors don't need", op)
}

func (u *unpickler) constant(op byte) error {
	switch op {
	case '(':
		u.push(mark{})
	case '}':
		u.make(&dict{})
	case ']':
		u.make(&list{})
	case ')':
		u.make(tuple(nil))
	case 'N':
		u.push(nil)
	default: // NEWTRUE, NEWFALSE
		u.push(op == 0x88)
	}
	return nil
}

func (u *unpickler) number(op byte) error {
	width := map[byte]int{'K': 1, 'M': 2, 'J': 4, 'G': 8}[op]
	if op == 0x8a { // LONG1: a length, then two's complement
		n, err := u.byte()
		if err != nil {
			return err
		}
		if n > 8 {
			return errors.New("its pickle has a whole number of more than 64 bits")
		}
		width = int(n)
	}
	raw, err := u.bytes(width)
	if err != nil {
		return err
	}
	switch op {
	case 'G':
		u.push(math.Float64frombits(binary.BigEndian.Uint64(raw)))
	case 'J':
		u.push(int64(int32(binary.LittleEndian.Uint32(raw))))
	default:
		var wide [8]byte
		copy(wide[:], raw)
		if op == 0x8a && width > 0 && raw[width-1] >= 0x80 {
			for i := width; i < len(wide); i++ {
				wide[i] = 0xff
			}
		}
		u.push(int64(binary.LittleEndian.Uint64(wide[:])))
	}
	return nil
}

func (u *unpickler) text(op byte) error {
	var n uint32
	if op == 0x8c || op == 'U' {
		short, err := u.byte()
		if err != nil {
			return err
		}
		n = uint32(short)
	} else {
		raw, err := u.bytes(4)
		if err != nil {
			return err
		}
		n = binary.LittleEndian.Uint32(raw)
	}
	raw, err := u.bytes(int(n))
	if err != nil {
		return err
	}
	u.push(string(raw))
	return nil
}

// remember stores the topmost value under a number or fetches one.
func (u *unpickler) remember(op byte) error {
	index := uint32(len(u.memo)) // MEMOIZE
	if op != 0x94 {
		width := 1
		if op == 'r' || op == 'j' {
			width = 4
		}
		raw, err := u.bytes(width)
		if err != nil {
			return err
		}
		index = uint32(raw[0])
		if width == 4 {
			index = binary.LittleEndian.Uint32(raw)
		}
	}
	if op == 'h' || op == 'j' {
		value, ok := u.memo[index]
		if !ok {
			return fmt.Errorf("its pickle fetches value %d, which was never stored", index)
		}
		u.push(value)
		return nil
	}
	if len(u.stack) == 0 {
		return errEmptyStack
	}
	u.memo[index] = u.stack[len(u.stack)-1]
	return nil
}

func (u *unpickler) tuple(op byte) error {
	if op == 't' {
		items, err := u.popMark()
		if err != nil {
			return err
		}
		u.make(tuple(items))
		return nil
	}
	n := int(op) - 0x84 // TUPLE1 to TUPLE3
	if len(u.stack) < n {
		return errEmptyStack
	}
	items := append(tuple(nil), u.stack[len(u.stack)-n:]...)
	u.stack = u.stack[:len(u.stack)-n]
	u.make(items)
	return nil
}

// fill puts values into the container below them.
func (u *unpickler) fill(op byte) error {
	var items []any
	var err error
	switch op {
	case 'e', 'u':
		items, err = u.popMark()
	default: // APPEND and BUILD take one value, SETITEM two
		n := 1
		if op == 's' {
			n = 2
		}
		if len(u.stack) < n {
			return errEmptyStack
		}
		items = append(items, u.stack[len(u.stack)-n:]...)
		u.stack = u.stack[:len(u.stack)-n]
	}
	if err != nil {
		return err
	}
	if len(u.stack) == 0 {
		return errEmptyStack
	}
	switch into := u.stack[len(u.stack)-1].(type) {
	case *list:
		if op != 'a' && op != 'e' {
			break
		}
		into.items = append(into.items, items...)
		return nil
	case *dict:
		if op == 'b' { // the _metadata that a state_dict carries; of no use here
			return nil
		}
		if op == 'a' || op == 'e' || len(items)%2 != 0 {
			break
		}
		for i := 0; i < len(items); i += 2 {
			into.keys, into.values = append(into.keys, items[i]), append(into.values, items[i+1])
		}
		return nil
	}
	return fmt.Errorf("its pickle uses the instruction %q on a value that does not take it", op)
}

func (u *unpickler) global(op byte) error {
	var module, name string
	if op == 'c' {
		var err error
		if module, err = u.line(); err != nil {
			return err
		}
		if name, err = u.line(); err != nil {
			return err
		}
	} else {
		top, err := u.pop()
		if err != nil {
			return err
		}
		below, err := u.pop()
		if err != nil {
			return err
		}
		var ok1, ok2 bool
		name, ok1 = top.(string)
		module, ok2 = below.(string)
		if !ok1 || !ok2 {
			return errors.New("its pickle names a function by something else than text")
		}
	}
	g := global(module + "." + name)
	switch {
	case g == orderedDict, g == rebuildTensor, g == rebuildTensorV2, g == rebuildParameter, storageType(g) != "":
		u.push(g)
		return nil
	}
	const longest = 100
	return remuda.Errorf(remuda.Invalid, "its pickle asks for %q, which tensors don't need, so it was not read on", string(g[:min(len(g), longest)])).
		WithHint("if you trust the file, save the model's state_dict() alone with torch.save, or as .safetensors")
}

// reduce stands for calling a function.
func (u *unpickler) reduce() error {
	top, err := u.pop()
	if err != nil {
		return err
	}
	below, err := u.pop()
	if err != nil {
		return err
	}
	args, ok1 := top.(tuple)
	g, ok2 := below.(global)
	if !ok1 || !ok2 {
		return errors.New("its pickle calls something that is no function")
	}
	var value any
	switch g {
	case orderedDict:
		value, err = newOrderedDict(args)
	case rebuildTensor, rebuildTensorV2:
		value, err = newTensor(args)
	case rebuildParameter:
		if len(args) != 3 {
			return errMalformed
		}
		t, ok := args[0].(*tensor)
		if !ok {
			return errMalformed
		}
		value = t
	default:
		return fmt.Errorf("its pickle calls %s as a function", g)
	}
	if err != nil {
		return err
	}
	u.make(value)
	return nil
}

var (
	errEmptyStack = errors.New("its pickle takes a value where there is none")
	errMalformed  = errors.New("its pickle describes a tensor wrongly")
)

// newOrderedDict takes no arguments or, as Python 2 wrote it, a list of pairs.
func newOrderedDict(args tuple) (*dict, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok || len(args) != 1 {
		return nil, errors.New("its pickle makes an OrderedDict of something else than pairs")
	}
	for _, item := range pairs.items {
		var pair []any
		switch p := item.(type) {
		case *list:
			pair = p.items
		case tuple:
			pair = p
		}
		if len(pair) != 2 {
			return nil, errors.New("its pickle makes an OrderedDict of something else than pairs")
		}
		d.keys, d.values = append(d.keys, pair[0]), append(d.values, pair[1])
	}
	return d, nil
}

// newTensor takes storage, offset, sizes and strides; what follows them is of
// no use here.
func newTensor(args tuple) (*tensor, error) {
	if len(args) < 4 {
		return nil, errMalformed
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int64)
	shape, ok3 := sizes(args[2])
	strides, ok4 := sizes(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || offset < 0 || offset > maxElements || len(shape) != len(strides) {
		return nil, errMalformed
	}
	return &tensor{storage: *s, offset: offset, shape: shape, strides: strides}, nil
}

// sizes reads a tuple of whole numbers in [0, maxElements].
func sizes(v any) ([]int, bool) {
	items, ok := v.(tuple)
	if !ok {
		return nil, false
	}
	numbers := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > maxElements {
			return nil, false
		}
		numbers[i] = int(n)
	}
	return numbers, true
}

// persistent resolves a reference to a storage:
// ("storage", class, key, device, length), and in the older format a sixth
// value, nil or (view's key, offset, length).
func (u *unpickler) persistent() error {
	top, err := u.pop()
	if err != nil {
		return err
	}
	id, _ := top.(tuple)
	if len(id) != 5 && len(id) != 6 {
		return errMalformed
	}
	kind, _ := id[0].(string)
	class, _ := id[1].(global)
	key, ok1 := id[2].(string)
	length, ok2 := id[4].(int64)
	s := &storage{dtype: storageType(class), key: key, length: length}
	if kind != "storage" || s.dtype == "" || !ok1 || !ok2 {
		return errMalformed
	}
	if len(id) == 6 && id[5] != nil {
		view, _ := id[5].(tuple)
		if len(view) != 3 {
			return errMalformed
		}
		var ok1, ok2 bool
		s.offset, ok1 = view[1].(int64)
		s.length, ok2 = view[2].(int64)
		if !ok1 || !ok2 {
			return errMalformed
		}
	}
	if s.length < 0 || s.length > maxElements || s.offset < 0 || s.offset > maxElements {
		return errMalformed
	}
	if known, ok := u.types[key]; ok && known != s.dtype {
		return errMalformed
	}
	u.types[key] = s.dtype
	u.make(s)
	return nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// make pushes a new container and counts it.
func (u *unpickler) make(v any) {
	u.objects++
	u.push(v)
}

func (u *unpickler) pop() (any, error) {
	if len(u.stack) == 0 {
		return nil, errEmptyStack
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

// popMark takes everything above the topmost mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, ok := u.stack[i].(mark); ok {
			items := append([]any(nil), u.stack[i+1:]...)
			u.stack = u.stack[:i]
			return items, nil
		}
	}
	return nil, errEmptyStack
}

func (u *unpickler) byte() (byte, error) {
	raw, err := u.bytes(1)
	if err != nil {
		return 0, err
	}
	return raw[0], nil
}

// bytes reads n bytes. Memory grows only as they arrive, whatever n claims.
func (u *unpickler) bytes(n int) ([]byte, error) {
	if int64(n) > maxPickle-u.read {
		return nil, fmt.Errorf("its pickle is larger than %d bytes", maxPickle)
	}
	u.read += int64(n)
	var raw []byte
	var err error
	if n <= 4096 {
		raw = make([]byte, n)
		_, err = io.ReadFull(u.in, raw)
	} else if raw, err = io.ReadAll(io.LimitReader(u.in, int64(n))); err == nil && len(raw) < n {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it is truncated: its pickle breaks off")
	}
	return raw, err
}

func (u *unpickler) skip(n int) error {
	_, err := u.bytes(n)
	return err
}

// line reads text up to a line feed, as GLOBAL has it.
func (u *unpickler) line() (string, error) {
	const longest = 1 << 10
	var text strings.Builder
	for range longest {
		b, err := u.byte()
		if err != nil || b == '\n' {
			return text.String(), err
		}
		text.WriteByte(b)
	}
	return "", errors.New("its pickle has a name without end")
}
