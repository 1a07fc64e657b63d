package policy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// What of the binary format of WebAssembly 1.0 (sections 5.4 and 5.5) is needed
// to change a module that OPA's compiler made.
const (
	sectionCustom = 0
	sectionImport = 2
	sectionGlobal = 6
	sectionExport = 7
	sectionCode   = 10
	wasmHeader    = "\x00asm\x01\x00\x00\x00"
	sourceSection = "attestctl.policy"
)

var errWASM = errors.New("not a module that OPA's compiler made")

// section is a section of a module: its id and its content.
type section struct {
	id   byte
	body []byte
}

// wasmReader reads the binary format. After a failure it yields zeros.
type wasmReader struct {
	rest []byte
	bad  bool
}

func (r *wasmReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *wasmReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// leb reads an unsigned LEB128 number, or skips a signed one.
func (r *wasmReader) leb() uint64 {
	v := uint64(0)
	for shift := 0; shift < 70; shift += 7 {
		b := r.byte()
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *wasmReader) bytes() []byte { return r.take(r.leb()) }

func sized(b []byte) []byte { return append(leb(uint64(len(b))), b...) }

func leb(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func readSections(module []byte) ([]section, error) {
	body, ok := bytes.CutPrefix(module, []byte(wasmHeader))
	if !ok {
		return nil, errWASM
	}
	var list []section
	r := wasmReader{rest: body}
	for len(r.rest) > 0 && !r.bad {
		list = append(list, section{r.byte(), r.bytes()})
	}
	if r.bad {
		return nil, errWASM
	}
	return list, nil
}

func writeSections(list []section) []byte {
	out := []byte(wasmHeader)
	for _, s := range list {
		out = append(append(out, s.id), sized(s.body)...)
	}
	return out
}

// withDigest appends the digest of the source as a custom section.
func withDigest(module []byte, digest string) []byte {
	body := append(sized([]byte(sourceSection)), digest...)
	return append(append(module, sectionCustom), sized(body)...)
}

// WASMDigest returns the digest of the policy that a compiled module says it
// was made from. It is a claim of the module: CheckWASM tells whether it is true.
func WASMDigest(module []byte) (string, error) {
	list, err := readSections(module)
	if err != nil {
		return "", err
	}
	for _, s := range list {
		if s.id != sectionCustom {
			continue
		}
		r := wasmReader{rest: s.body}
		if string(r.bytes()) == sourceSection && !r.bad {
			return string(r.rest), nil
		}
	}
	return "", fmt.Errorf("%w: it names no policy", errWASM)
}

// interruptible returns the module with a check at the head of every loop and
// function: it counts down a global, exported as ticksExport, and calls
// opa_abort with tickAddress when the count is used up. There the host looks at the clock and
// may end the evaluation; it also is where Go's scheduler and collector get hold
// of the goroutine: a flag that another goroutine sets would never be set while
// the collector waits for a loop of machine code. wazero's own way,
// WithCloseOnContextDone, leaves the module at every loop head and makes a
// decision four times slower.
func interruptible(module []byte) ([]byte, error) {
	list, err := readSections(module)
	if err != nil {
		return nil, err
	}
	abort, counter, done := uint64(0), uint64(0), 0
	for i, s := range list {
		r := wasmReader{rest: s.body}
		switch s.id {
		case sectionImport:
			var found imported
			found, err = readImports(&r)
			abort = found.abort
		case sectionGlobal: // before the exports and the code; OPA's modules import none
			counter = r.leb()
			list[i].body = append(append(leb(counter+1), r.rest...), 0x7f, 1, 0x41, 0, opEnd) // a variable i32 = 0
		case sectionExport:
			n := r.leb()
			body := append(append(leb(n+1), r.rest...), sized([]byte(ticksExport))...)
			list[i].body = append(append(body, 3), leb(counter)...)
		case sectionCode:
			list[i].body, err = guardCode(&r, checkOf(abort, counter))
		default:
			continue
		}
		if done++; err != nil || r.bad {
			return nil, errors.Join(errWASM, err)
		}
	}
	if done != 4 {
		return nil, errWASM
	}
	return writeSections(list), nil
}

// imported is what a module asks of its host.
type imported struct {
	abort uint64 // the index of the function opa_abort
	pages uint64 // the least memory, in pages
}

func readImports(r *wasmReader) (imported, error) {
	var found imported
	index, aborts := uint64(0), false
	for range r.leb() {
		r.bytes()
		name := string(r.bytes())
		switch kind := r.byte(); kind {
		case 0:
			if name == "opa_abort" {
				found.abort, aborts = index, true
			}
			r.leb()
			index++
		case 2: // a memory: whether it has a maximum, the minimum, the maximum
			bounded := r.leb()&1 == 1
			found.pages = r.leb()
			if bounded {
				r.leb()
			}
		default:
			return found, fmt.Errorf("an import of kind %d", kind)
		}
		if r.bad {
			break
		}
	}
	if r.bad || !aborts {
		return found, errors.New("it imports no opa_abort")
	}
	return found, nil
}

// memoryPages returns the least memory that a module runs in.
func memoryPages(module []byte) (uint32, error) {
	list, err := readSections(module)
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		if s.id == sectionImport {
			found, err := readImports(&wasmReader{rest: s.body})
			return uint32(min(found.pages, 1<<16)), err
		}
	}
	return 0, errWASM
}

// tickAddress is no text that a module aborts with: nothing is laid out there.
// ticks is how many checks pass between two looks at the clock.
const (
	tickAddress = 8
	ticks       = 1 << 13
	ticksExport = "attestctl.ticks"
)

// checkOf is the code of a check: count down, and call abort below zero.
func checkOf(abort, counter uint64) []byte {
	g := leb(counter)
	return slices.Concat(
		[]byte{0x23}, g, []byte{0x41, 1, 0x6b, 0x24}, g, // global.get, i32.const, i32.sub, global.set
		[]byte{0x23}, g, []byte{0x41, 0, 0x48}, // global.get, i32.const, i32.lt_s
		[]byte{0x04, 0x40, 0x41, tickAddress, 0x10}, leb(abort), []byte{opEnd}, // if, i32.const, call, end
	)
}

// guardCode puts the check into all functions of a code section.
func guardCode(r *wasmReader, check []byte) ([]byte, error) {
	n := r.leb()
	out := leb(n)
	for range n {
		f := wasmReader{rest: r.bytes()}
		body, err := guardFunction(&f, check)
		if err != nil {
			return nil, err
		}
		out = append(out, sized(body)...)
	}
	if len(r.rest) != 0 {
		return nil, errWASM
	}
	return out, nil
}

func guardFunction(f *wasmReader, check []byte) ([]byte, error) {
	whole := f.rest
	for range f.leb() { // groups of locals: count and type
		f.leb()
		f.byte()
	}
	out := append([]byte{}, whole[:len(whole)-len(f.rest)]...)
	out = append(out, check...)
	for len(f.rest) > 0 && !f.bad {
		before := f.rest
		op := f.byte()
		if err := skipImmediates(f, op); err != nil {
			return nil, err
		}
		out = append(out, before[:len(before)-len(f.rest)]...)
		if op == opLoop {
			out = append(out, check...)
		}
	}
	if f.bad {
		return nil, errWASM
	}
	return out, nil
}

const (
	opLoop = 0x03
	opEnd  = 0x0b
)

// immediates says for each opcode below 0x45 how many LEB128 numbers follow it;
// those from 0x45 to 0xc4 have none.
var immediates = map[byte]int{
	0x00: 0, 0x01: 0, 0x02: 1, opLoop: 1, 0x04: 1, 0x05: 0, opEnd: 0, // control
	0x0c: 1, 0x0d: 1, 0x0f: 0, 0x10: 1, 0x11: 2, 0x1a: 0, 0x1b: 0, // branch, call, drop, select
	0x20: 1, 0x21: 1, 0x22: 1, 0x23: 1, 0x24: 1, // variables
	0x3f: 1, 0x40: 1, 0x41: 1, 0x42: 1, // memory size, constants
}

// skipImmediates reads what follows an opcode. An opcode that is not known here
// is an error: a check that is not inserted would be a loop without end.
func skipImmediates(r *wasmReader, op byte) error {
	if op == 0xfc {
		return skipExtended(r)
	}
	n, known := immediates[op]
	switch {
	case known, op >= 0x45 && op <= 0xc4:
	case op == 0x43 || op == 0x44: // f32.const, f64.const
		r.take(uint64(op-0x42) * 4)
	case op >= 0x28 && op <= 0x3e: // load and store: alignment and offset
		n = 2
	case op == 0x0e: // br_table
		n = int(r.leb()) + 1 //nolint:gosec // reading past the end stops the loop below
	default:
		return fmt.Errorf("unknown opcode %#x", op)
	}
	for ; n > 0 && !r.bad; n-- {
		r.leb()
	}
	return nil
}

// skipExtended reads an instruction with the prefix 0xfc: saturating
// conversions, memory.copy and memory.fill.
func skipExtended(r *wasmReader) error {
	switch op := r.leb(); {
	case op <= 7:
	case op == 10:
		r.take(2)
	case op == 11:
		r.take(1)
	default:
		return fmt.Errorf("unknown opcode 0xfc %d", op)
	}
	return nil
}

// envModule is the module "env" that OPA's modules import: it owns the memory,
// which a host module of wazero cannot, and hands on the functions of the host
// module named host.
func envModule(host string, minPages, maxPages uint32) []byte {
	params := []int{1, 1, 2, 3, 4, 5, 6} // of hostFunctions
	types, imports, exports := leb(uint64(len(params))), leb(uint64(len(params))), leb(uint64(len(params)+1))
	for i, name := range hostFunctions {
		types = append(append(types, 0x60), sized(bytes.Repeat([]byte{0x7f}, params[i]))...)
		if params[i] == 1 {
			types = append(types, 0)
		} else {
			types = append(types, 1, 0x7f)
		}
		imports = append(append(imports, sized([]byte(host))...), sized([]byte(name))...)
		imports = append(append(imports, 0), leb(uint64(i))...)
		exports = append(append(exports, sized([]byte(name))...), 0, byte(i))
	}
	memory := append([]byte{1, 1}, append(leb(uint64(minPages)), leb(uint64(maxPages))...)...)
	exports = append(append(exports, sized([]byte("memory"))...), 2, 0)
	return writeSections([]section{{1, types}, {2, imports}, {5, memory}, {sectionExport, exports}})
}
