package preamp

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
)

// The component, as every other host loads it. build.sh puts it here.
//
//go:embed preamp.wasm
var component []byte

// What a component begins with: the magic number, and the version and layer of the component model's binary format.
const componentPreamble = "\x00asm\x0d\x00\x01\x00"

// The section of a component that holds a core module.
const coreModuleSection = 1

// coreModule returns the core module inside a component: the first section of its kind. The component has others that
// only adapt types.
func coreModule(component []byte) ([]byte, error) {
	if len(component) < len(componentPreamble) || string(component[:len(componentPreamble)]) != componentPreamble {
		return nil, errors.New("this is no WebAssembly component")
	}
	rest := component[len(componentPreamble):]
	for len(rest) > 0 {
		kind := rest[0]
		size, length := binary.Uvarint(rest[1:])
		if length <= 0 || size > uint64(len(rest)-1-length) {
			return nil, fmt.Errorf("the component is cut off in a section of kind %d", kind)
		}
		body := rest[1+length:][:size]
		if kind == coreModuleSection {
			return body, nil
		}
		rest = rest[1+length+int(size):]
	}
	return nil, errors.New("the component holds no core module")
}
