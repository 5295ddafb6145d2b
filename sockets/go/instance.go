package preamp

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The interface of the contract (wit/exporter.wit).
const contract = "preamp:exporter/remote-write@0.2.0"

// pageBytes is the size of a page of memory. (WebAssembly, "Memory Instances".)
const pageBytes = 64 << 10

// compiled is the component as machine code, which the exporters of a process share if their instances may have as much memory.
type compiled struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

var shared = struct {
	sync.Mutex
	byMemory map[uint32]*compiled
}{byMemory: map[uint32]*compiled{}}

// compiledFor is the component for instances of at most that much memory.
func compiledFor(memoryBytes uint32) (*compiled, error) {
	shared.Lock()
	defer shared.Unlock()
	if known := shared.byMemory[memoryBytes]; known != nil {
		return known, nil
	}
	made, err := compile(memoryBytes / pageBytes)
	if err == nil {
		shared.byMemory[memoryBytes] = made
	}
	return made, err
}

// compile compiles the component, or takes the machine code from the user's cache folder.
func compile(memoryPages uint32) (*compiled, error) {
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(memoryPages)
	if folder, err := os.UserCacheDir(); err == nil {
		// Without a cache it is compiled at each start, which takes a second.
		if cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(folder, "preamp")); err == nil {
			config = config.WithCompilationCache(cache)
		}
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	host := runtime.NewHostModuleBuilder("[export]" + contract)
	for _, resource := range []string{"exporter", "passage"} {
		// The handle of a resource is its representation: whoever holds it is its owner.
		host.NewFunctionBuilder().WithFunc(func(representation uint32) uint32 { return representation }).
			Export("[resource-new]" + resource)
		host.NewFunctionBuilder().WithFunc(func(uint32) {}).Export("[resource-drop]" + resource)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		return nil, fmt.Errorf("the component cannot be loaded: %w", err)
	}
	core, err := coreModule(component)
	if err != nil {
		return nil, err
	}
	module, err := runtime.CompileModule(ctx, core)
	if err != nil {
		return nil, fmt.Errorf("the component cannot be compiled: %w", err)
	}
	return &compiled{runtime: runtime, module: module}, nil
}

// instance is a component with a memory of its own. It serves one call at a time.
type instance struct {
	module     api.Module
	reallocate api.Function
}

func newInstance(ctx context.Context, memoryBytes uint32) (*instance, error) {
	compiled, err := compiledFor(memoryBytes)
	if err != nil {
		return nil, err
	}
	module, err := compiled.runtime.InstantiateModule(ctx, compiled.module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, fmt.Errorf("the component cannot be instantiated: %w", err)
	}
	return &instance{module: module, reallocate: module.ExportedFunction("cabi_realloc")}, nil
}

func (i *instance) arguments(ctx context.Context) *flat { return &flat{instance: i, context: ctx} }

// call calls a function of the contract that returns a number, or nothing.
func (i *instance) call(name string, arguments *flat) (uint32, error) {
	if arguments.err != nil {
		return 0, arguments.err
	}
	function := i.module.ExportedFunction(contract + "#" + name)
	if function == nil {
		return 0, fmt.Errorf("the component has no function %s", name)
	}
	results, err := function.Call(arguments.context, arguments.values...)
	if err != nil {
		return 0, fmt.Errorf("the component ended in %s: %w", name, err)
	}
	if len(results) == 0 {
		return 0, nil
	}
	return uint32(results[0]), nil
}

// read calls a function of the contract that returns a record, and reads that.
func (i *instance) read(name string, arguments *flat, read func(*record)) error {
	address, err := i.call(name, arguments)
	if err != nil {
		return err
	}
	result := record{memory: i.module.Memory(), address: address}
	read(&result)
	if free := i.module.ExportedFunction("cabi_post_" + contract + "#" + name); free != nil && result.err == nil {
		if _, err := free.Call(arguments.context, uint64(address)); err != nil {
			return fmt.Errorf("the component ended after %s: %w", name, err)
		}
	}
	return result.err
}
