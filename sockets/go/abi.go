package preamp

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// The canonical ABI of the component model, as far as this contract needs it: how strings, lists and records go in and
// out of the memory of an instance. (Component model, "Canonical ABI explainer".) docs/layouts.md has the layouts.

// errMemory says that an address which the instance gave lies outside its memory.
var errMemory = errors.New("the component gave an address outside its memory")

// flat collects the arguments of a call.
type flat struct {
	instance *instance
	context  context.Context
	values   []uint64
	err      error
}

func (f *flat) number(value uint64) { f.values = append(f.values, value) }

// bytes passes a list of bytes. The callee frees it.
func (f *flat) bytes(data []byte) {
	address := f.allocate(uint32(len(data)), 1)
	if f.err == nil && !f.instance.module.Memory().Write(address, data) {
		f.err = errMemory
	}
	f.values = append(f.values, uint64(address), uint64(len(data)))
}

func (f *flat) text(text string) { f.bytes([]byte(text)) }

// optional passes an option of a string: empty stands for none.
func (f *flat) optional(text string) {
	if text == "" {
		f.values = append(f.values, 0, 0, 0)
		return
	}
	f.number(1)
	f.text(text)
}

// headers passes a list of header fields.
func (f *flat) headers(headers []Header) {
	const size = 16
	list := f.allocate(uint32(len(headers)*size), 4)
	for index, header := range headers {
		for part, text := range []string{header.Name, header.Value} {
			address := f.allocate(uint32(len(text)), 1)
			memory := f.instance.module.Memory()
			at := list + uint32(index*size+part*8)
			is := f.err == nil && memory.Write(address, []byte(text)) && memory.WriteUint32Le(at, address) &&
				memory.WriteUint32Le(at+4, uint32(len(text)))
			if !is && f.err == nil {
				f.err = errMemory
			}
		}
	}
	f.values = append(f.values, uint64(list), uint64(len(headers)))
}

// allocate has the instance make room. A list of nothing has an address that is only aligned.
func (f *flat) allocate(size, alignment uint32) uint32 {
	if size == 0 || f.err != nil {
		return alignment
	}
	results, err := f.instance.reallocate.Call(f.context, 0, 0, uint64(alignment), uint64(size))
	if err != nil {
		f.err = fmt.Errorf("there is no memory for a call: %w", err)
		return alignment
	}
	return uint32(results[0])
}

// record reads a result from where it stands in memory. The first address that is wrong sets err.
type record struct {
	memory  api.Memory
	address uint32
	err     error
}

func (r *record) byte(offset uint32) byte {
	value, is := r.memory.ReadByte(r.address + offset)
	return checked(r, value, is)
}

func (r *record) uint16(offset uint32) uint16 {
	value, is := r.memory.ReadUint16Le(r.address + offset)
	return checked(r, value, is)
}

func (r *record) uint32(offset uint32) uint32 {
	value, is := r.memory.ReadUint32Le(r.address + offset)
	return checked(r, value, is)
}

func (r *record) uint64(offset uint32) uint64 {
	value, is := r.memory.ReadUint64Le(r.address + offset)
	return checked(r, value, is)
}

// bytes copies a list of bytes: the memory is the instance's, and may move with the next call.
func (r *record) bytes(offset uint32) []byte {
	value, is := r.memory.Read(r.uint32(offset), r.uint32(offset+4))
	return append([]byte{}, checked(r, value, is)...)
}

func (r *record) text(offset uint32) string { return string(r.bytes(offset)) }

// list calls the function for each element of a list, with records of that size.
func (r *record) list(offset, size uint32, element func(*record)) {
	address, count := r.uint32(offset), r.uint32(offset+4)
	if r.err == nil && uint64(count)*uint64(size) > uint64(r.memory.Size()) {
		r.err = errMemory
	}
	for index := uint32(0); index < count && r.err == nil; index++ {
		one := record{memory: r.memory, address: address + index*size}
		element(&one)
		r.err = one.err
	}
}

func checked[T any](r *record, value T, is bool) T {
	if !is && r.err == nil {
		r.err = errMemory
	}
	return value
}
