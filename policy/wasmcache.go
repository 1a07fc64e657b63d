package policy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
)

// WASMCache keeps what it takes to compile policies to machine code. It may be used
// by many at a time.
type WASMCache struct {
	mu      sync.Mutex
	modules map[[sha256.Size]byte]func() ([]byte, error) // by the text of the Rego
	machine wazero.CompilationCache
}

// NewWASMCache returns an empty cache, which must be closed after all engines that
// came from it.
func NewWASMCache() *WASMCache {
	return &WASMCache{modules: map[[sha256.Size]byte]func() ([]byte, error){}, machine: wazero.NewCompilationCache()}
}

// Close frees the machine code.
func (c *WASMCache) Close() error { return c.machine.Close(context.Background()) }

// config is that of a runtime which compiles to machine code by way of the cache.
func (c *WASMCache) config() wazero.RuntimeConfig {
	config := wazero.NewRuntimeConfig()
	if c == nil {
		return config
	}
	return config.WithCompilationCache(c.machine)
}

// code returns the module of a policy in the form that can be interrupted.
func (c *WASMCache) code(p *Policy) ([]byte, error) {
	compile := func() ([]byte, error) {
		code, err := p.wasmCode()
		if err != nil {
			return nil, err
		}
		return interruptible(code)
	}
	if c == nil {
		return compile()
	}
	h := sha256.New()
	for _, name := range sortedKeys(p.modules) {
		fmt.Fprintf(h, "%q %q\n", name, p.modules[name].String())
	}
	key := [sha256.Size]byte(h.Sum(nil))
	c.mu.Lock()
	once := c.modules[key]
	if once == nil {
		once = sync.OnceValues(compile)
		c.modules[key] = once
	}
	c.mu.Unlock()
	return once()
}
