package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/attestctl/attestctl/internal/hint"
)

// policyOf compiles a policy of one module and a config.
func policyOf(tb testing.TB, module, config string) *Policy {
	tb.Helper()
	s, err := assemble(tb.Name(), map[string]string{"attest.rego": module, "config.json": config})
	if err != nil {
		tb.Fatal(err)
	}
	p, err := Compile(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// enginesOf returns the interpreter, which is given the whole input, and the module.
func enginesOf(tb testing.TB, p *Policy, l Limits) (reference Engine, wasm *WASM) {
	tb.Helper()
	_, reference = interpretersOf(tb, p, l)
	wasm, err := p.WASM(l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := wasm.Close(); err != nil {
			tb.Error(err)
		}
	})
	return reference, wasm
}

func inputOf(tb testing.TB, doc any) Input {
	tb.Helper()
	in, err := canonical(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

func decide(tb testing.TB, e Engine, in Input) Decision {
	tb.Helper()
	d, err := e.Decide(context.Background(), in)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func text(tb testing.TB, d Decision) string {
	tb.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

const plainModule = `package attest

default allow := false

allow if {
	input.hwmodel == "GCP_AMD_SEV"
	count(deny) == 0
}

deny contains {"code": "x", "msg": sprintf("project %v", [p])} if {
	p := input.submods.gce.project_id
	not startswith(p, data.config.prefix)
}
`

func TestWASMDecides(t *testing.T) {
	reference, wasm := enginesOf(t, policyOf(t, plainModule, `{"prefix": "mine-"}`), Limits{Deadline: time.Second})
	for name, doc := range map[string]any{
		"allow":   map[string]any{"hwmodel": "GCP_AMD_SEV", "submods": map[string]any{"gce": map[string]any{"project_id": "mine-1"}}},
		"deny":    map[string]any{"hwmodel": "GCP_AMD_SEV", "submods": map[string]any{"gce": map[string]any{"project_id": "\x01\U000e0001<\n\x00"}}},
		"empty":   map[string]any{},
		"null":    nil,
		"retyped": map[string]any{"hwmodel": "GCP_AMD_SEV", "submods": map[string]any{"gce": map[string]any{"project_id": 7}}},
	} {
		in := inputOf(t, doc)
		got, want := decide(t, wasm, in), decide(t, reference, in)
		if text(t, got) != text(t, want) {
			t.Errorf("%s: WASM %s %s, topdown %s %s", name, text(t, got), got.Detail, text(t, want), want.Detail)
		}
		if got.Allow != (name == "allow") {
			t.Errorf("%s: %s %s", name, text(t, got), got.Detail)
		}
	}
}

// bombs are policies that would never end, or fill the memory.
var bombs = map[string]string{
	"doubling":  "s0 := input.request.s\n" + chain(40, "s%d := concat(\"\", [s%d, s%d])") + "deny contains \"x\" if count(s40) > 0",
	"sets":      "s0 := {[x, y] | some x in numbers.range(1, 900); some y in numbers.range(1, 900)}\ndeny contains \"x\" if count(s0) > 0",
	"loops":     "deny contains \"x\" if {\n some a in input.request.list\n some b in input.request.list\n some c in input.request.list\n some d in input.request.list\n a + b == c + d + 0.5\n}",
	"native":    "deny contains \"x\" if {\n some a in input.request.list\n some b in input.request.list\n some c in input.request.list\n some d in input.request.list\n a == b; b == c; c == d\n a > 1000000\n}",
	"compare":   "deny contains \"x\" if {\n some a in input.request.list\n some b in input.request.list\n some c in input.request.list\n input.request.text == input.request.text2; input.request.text2 == input.request.text\n a < b; b < c; c < a\n}",
	"calls":     "f0(x) := x\n" + calls(40) + "deny contains \"x\" if f40(1) == 2",
	"shared":    "s0 := [1]\n" + chain(40, "s%d := array.concat([s%d], [s%d])") + "deny contains \"x\" if contains(sprintf(\"%v\", [s40]), \"2\")",
	"replace":   "deny contains \"x\" if replace(input.request.text, \"\", input.request.text) != \"\"",
	"range":     "deny contains \"x\" if count(numbers.range(1, 1000000000)) > 0",
	"regex":     "deny contains \"x\" if regex.match(\"(a{1,900}){1,900}b\", input.request.text)",
	"exponent":  "deny contains \"x\" if to_number(concat(\"\", [\"1e\", \"999999999\"])) > 1",
	"recursion": "deny contains \"x\" if {\n walk(input.request.list, [p, x])\n walk(input.request.list, [q, y])\n walk(input.request.list, [r, z])\n x != y; y == z; p == q; q != r; r == p\n}",
}

func chain(n int, format string) string {
	b := strings.Builder{}
	for i := range n {
		b.WriteString(fmt.Sprintf(format, i+1, i, i) + "\n")
	}
	return b.String()
}

func calls(n int) string {
	b := strings.Builder{}
	for i := range n {
		fmt.Fprintf(&b, "f%d(x) := y if {\n f%d([x, 1]) != 2\n f%d([x, 2]) != 2\n y := 1\n}\n", i+1, i, i)
	}
	return b.String()
}

func bombInput(tb testing.TB) Input {
	tb.Helper()
	list := make([]any, 400)
	for i := range list {
		list[i] = i
	}
	long := strings.Repeat("a", 100_000)
	return inputOf(tb, map[string]any{"request": map[string]any{"list": list, "s": "xxxxxxxx", "text": long, "text2": long}})
}

func TestWASMStopsBombs(t *testing.T) {
	for name, rules := range bombs {
		t.Run(name, func(t *testing.T) {
			p := policyOf(t, "package attest\n\ndefault allow := false\n\nallow if count(deny) == 0\n\n"+rules+"\n", "{}")
			_, wasm := enginesOf(t, p, Limits{})
			in := bombInput(t)
			for range 2 { // the second with a new instance
				start := time.Now()
				d := decide(t, wasm, in)
				took := time.Since(start)
				if d.Allow || len(d.Reasons) != 1 || d.Reasons[0].Code != CodeTimeout && d.Reasons[0].Code != CodeMemory && d.Reasons[0].Code != CodeBuiltinError {
					t.Errorf("%s %s", text(t, d), d.Detail)
				}
				if took > 300*time.Millisecond {
					t.Errorf("took %v", took)
				}
				t.Logf("%v %s %.80s", took.Round(time.Millisecond), d.Reasons[0].Code, d.Detail)
			}
			if d := decide(t, wasm, inputOf(t, map[string]any{})); len(d.Reasons) > 0 && d.Reasons[0].Code == CodeInternal {
				t.Errorf("afterwards: %s %s", text(t, d), d.Detail)
			}
		})
	}
}

// TestInterruptible runs code that allocates nothing and never ends: a loop, and
// functions that call each other. The collector runs meanwhile: machine code
// that it cannot interrupt would stop the world.
func TestInterruptible(t *testing.T) {
	types := []byte{2, 0x60, 0, 0, 0x60, 1, 0x7f, 0}
	imports := slices.Concat([]byte{1}, sized([]byte("env")), sized([]byte("opa_abort")), []byte{0, 1})
	exports := slices.Concat([]byte{1}, sized([]byte("f")), []byte{0, 1})
	for name, bodies := range map[string][][]byte{
		"loop": {{0, opLoop, 0x40, 0x0c, 0, opEnd, opEnd}},
		"calls": {
			{0, 0x10, 2, 0x10, 2, opEnd},
			{0, 0x10, 3, 0x10, 3, opEnd},
			{0, 0x10, 4, 0x10, 4, opEnd},
			{0, 0x10, 5, 0x10, 5, opEnd},
			{0, 0x10, 6, 0x10, 6, opEnd},
			{0, opLoop, 0x40, 0x41, 0x7f, 0x0d, 0, opEnd, opEnd},
		},
	} {
		functions, code := leb(uint64(len(bodies))), leb(uint64(len(bodies)))
		for _, b := range bodies {
			functions, code = append(functions, 0), append(code, sized(b)...)
		}
		module, err := interruptible(writeSections([]section{{1, types}, {2, imports}, {3, functions}, {sectionGlobal, []byte{0}}, {sectionExport, exports}, {sectionCode, code}}))
		if err != nil {
			t.Fatal(err)
		}
		r := wazero.NewRuntime(t.Context())
		i32 := []api.ValueType{api.ValueTypeI32}
		if _, err := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithGoFunction(api.GoFunc(abort), i32, nil).Export("opa_abort").Instantiate(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := r.Instantiate(t.Context(), module)
		if err != nil {
			t.Fatal(err)
		}
		counter, ok := m.ExportedGlobal(ticksExport).(api.MutableGlobal)
		if !ok {
			t.Fatal("no global")
		}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), instanceKey{}, &instance{ticks: counter}), 20*time.Millisecond)
		ended := make(chan struct{})
		go func() {
			for {
				select {
				case <-ended:
					return
				default:
					runtime.GC()
				}
			}
		}()
		var stopped *trap
		if _, err := m.ExportedFunction("f").Call(ctx); !errors.As(err, &stopped) || stopped.code != CodeTimeout {
			t.Errorf("%s: %v", name, err)
		}
		close(ended)
		cancel()
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestInterruptibleRefusesOtherModules(t *testing.T) {
	for _, module := range []string{"", "\x00asm", wasmHeader, wasmHeader + "\x0a", wasmHeader + "\x06\x01\x00\x07\x01\x00\x0a\x04\x01\x02\x00\xfe"} {
		if _, err := interruptible([]byte(module)); err == nil {
			t.Errorf("interruptible(%q) = nil error", module)
		}
	}
}

func FuzzInterruptible(f *testing.F) {
	p := policyOf(f, plainModule, `{"prefix": "x"}`)
	module, err := p.WASMModule()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(module)
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := interruptible(b); err == nil && len(out) <= len(b) {
			t.Error("a module without checks")
		}
		if digest, err := WASMDigest(b); err == nil && digest == "" && !strings.Contains(string(b), sourceSection) {
			t.Error("a digest from nowhere")
		}
	})
}

func TestWASMCancel(t *testing.T) {
	p := policyOf(t, "package attest\n\ndefault allow := false\n\nallow if count(deny) == 0\n\n"+bombs["native"], "{}")
	_, wasm := enginesOf(t, p, Limits{Deadline: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 2 { // before and after the end of ctx
		d, err := wasm.Decide(ctx, bombInput(t))
		if err != nil || d.Allow || d.Reasons[0].Code != CodeTimeout {
			t.Errorf("%v %s", err, text(t, d))
		}
	}
}

func TestWASMClose(t *testing.T) {
	p := policyOf(t, plainModule, `{"prefix": "x"}`)
	wasm, err := p.WASM(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				d, err := wasm.Decide(context.Background(), inputOf(t, map[string]any{}))
				if err != nil {
					return
				}
				if d.Allow {
					t.Error("allowed")
				}
			}
		})
	}
	if err := errors.Join(wasm.Close(), wasm.Close()); err != nil {
		t.Error(err)
	}
	group.Wait()
}

// TestWASMParallel uses one engine from many goroutines; each must get the
// decision over its own input.
func TestWASMParallel(t *testing.T) {
	reference, wasm := enginesOf(t, policyOf(t, plainModule, `{"prefix": "mine-"}`), Limits{Deadline: 10 * time.Second})
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			in := inputOf(t, map[string]any{"hwmodel": "GCP_AMD_SEV", "submods": map[string]any{"gce": map[string]any{"project_id": fmt.Sprintf("theirs-%d", n)}}})
			want := text(t, decide(t, reference, in))
			for range 200 {
				if got := text(t, decide(t, wasm, in)); got != want {
					t.Errorf("got %s, want %s", got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestWASMMemoryStays makes decisions and looks at what they leave behind.
func TestWASMMemoryStays(t *testing.T) {
	_, wasm := enginesOf(t, policyOf(t, plainModule, `{"prefix": "mine-"}`), Limits{Deadline: 10 * time.Second})
	in := inputOf(t, map[string]any{"hwmodel": "GCP_AMD_SEV", "submods": map[string]any{"gce": map[string]any{"project_id": "theirs"}}})
	many := func(n int) uint64 {
		for range n {
			decide(t, wasm, in)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := many(1000)
	after := many(10000)
	if after > before+1<<20 {
		t.Errorf("%d bytes before, %d after 10000 decisions", before, after)
	}
	t.Logf("%d bytes before, %d after 10000 decisions", before, after)
}

func TestWASMModuleNamesItsSource(t *testing.T) {
	p := policyOf(t, plainModule, `{"prefix": "x"}`)
	module, err := p.WASMModule()
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := WASMDigest(module); err != nil || digest != p.Digest() {
		t.Errorf("WASMDigest = %s, %v", digest, err)
	}
	if err := p.CheckWASM(module); err != nil {
		t.Errorf("CheckWASM of its own module: %v", err)
	}
	if err := policyOf(t, plainModule, `{"prefix": "y"}`).CheckWASM(module); err == nil || !strings.Contains(err.Error(), p.Digest()) {
		t.Errorf("CheckWASM with another config: %v", err)
	}
	changed := bytes.Replace(module, []byte("GCP_AMD_SEV"), []byte("GCP_AMD_SEW"), 1)
	if err := p.CheckWASM(changed); err == nil {
		t.Error("CheckWASM of a changed module: nil")
	}
	for _, raw := range [][]byte{nil, []byte("x"), module[:len(module)-1], []byte(wasmHeader)} {
		if err := p.CheckWASM(raw); err == nil {
			t.Errorf("CheckWASM of %d bytes: nil", len(raw))
		}
	}
}

// TestOPAsOwnEngineIsNotLinked: rego.Target("wasm") fails open on control
// characters in claims.
func TestOPAsOwnEngineIsNotLinked(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(pkg, "opa/internal/wasm/sdk/internal/wasm") || strings.HasSuffix(pkg, "opa/internal/wasm/sdk/opa") || strings.Contains(pkg, "opa/features/wasm") || strings.Contains(pkg, "opa/v1/features/wasm") {
			t.Errorf("%s is linked", pkg)
		}
	}
}

func TestCheckParity(t *testing.T) {
	for rules, word := range map[string]string{
		`deny contains x if { x := concat(",", [k | some k, _ in input.request]) }`:                      "sort(",
		`deny contains x if { x := [k | some k in {"a", "b"}][0] }`:                                      "sort(",
		`f(xs) := [x | some x in xs]` + "\n" + `deny contains "x" if f([1])[0] == 1`:                     "sort(",
		`deny contains "x" if { [p | walk(input, [p, _])][0] == [] }`:                                    "sort(",
		`deny contains "x" if input.request.n < 18446744073709551615`:                                    "strings",
		`deny contains "x" if input.request.n == 1.0`:                                                    "strings",
		`deny contains "x" if data.config.list["0"]`:                                                     "settings := data.config",
		`deny contains "x" if data.config.map[input.request.n]`:                                          "settings := data.config",
		`deny contains "x" if { {"k": v | some v in input.request.list} }`:                               "count(",
		`deny contains "x" if { some x in input.eat_nonce; ys := [y | some y in input.banks2; y == x] }`: "",
		`deny contains "x" if count([k | some k, _ in input.request]) > 7`:                               "ok",
		`deny contains "x" if { [n | some n in input.eat_nonce][0] == "x" }`:                             "ok",
		`deny contains "x" if { some k, v in data.config.map; k == v }`:                                  "ok",
		`deny contains "x" if { some v in data.config.list; v == data.config.map.k }`:                    "ok",
		`deny contains "x" if { data.config.map[input.hwmodel] == 1 }`:                                   "ok",
		`deny contains "x" if { concat("", sort([k | some k, _ in input.request])) == "x" }`:             "ok",
		`deny contains "x" if { parts := split(input.hwmodel, "_"); [p | some p in parts] != ["a"] }`:    "ok",
		`deny contains "x" if { xs := [1, 2]; concat("", [sprintf("%d", [x]) | some x in xs]) == "12" }`: "ok",
		`settings := data.config` + "\n" + `deny contains "x" if { settings.map[input.request.n] == 1 }`: "ok",
	} {
		s, err := assemble("x", map[string]string{"attest.rego": expressionHead + rules, "config.json": `{"list": ["a"], "map": {"k": "v"}}`})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(s)
		if err != nil {
			if word != "" {
				t.Errorf("%s: %v", rules, err)
			}
			continue
		}
		err = p.CheckParity()
		switch {
		case word == "ok" && err != nil, word != "ok" && err == nil:
			t.Errorf("%s: %v", rules, err)
		case err != nil && !strings.Contains(hint.Of(err), word):
			t.Errorf("%s: %v; hint %q, want %q in it", rules, err, hint.Of(err), word)
		case err != nil && !strings.HasPrefix(err.Error(), "attest.rego:"):
			t.Errorf("%s: %v names no place", rules, err)
		}
	}
}
