package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"attestctl": func() {
			sys := testSystem()
			sys.stdin, sys.stdout, sys.stderr = os.Stdin, os.Stdout, os.Stderr
			os.Exit(run(os.Args[1:], sys))
		},
	})
}

// testSystem is a system with a clock of its own, no terminal and no network:
// whoever dials through the standard library's defaults is found out.
func testSystem() *system {
	denied := func(context.Context, string, string) (net.Conn, error) {
		panic("a test opened a socket")
	}
	http.DefaultTransport = &http.Transport{DialContext: denied, DialTLSContext: denied}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: denied}
	return &system{
		getenv:  func(string) string { return "" },
		now:     func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) },
		columns: noTerminal,
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return writeEvidence(env.WorkDir) },
		Condition: func(cond string) (bool, error) {
			if cond != "corpus" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return copyCorpus("", nil) == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": exitCommand, "flip": flipCommand, "corpus": corpusCommand, "hardware": hardwareCommand, "tokens": tokensCommand,
		},
	})
}

// exitCommand runs a command and requires an exit code: exit 3 attestctl verify x
func exitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flipCommand copies a file with one bit changed where it holds bytes that are
// given in hex: flip IN OUT HEX
func flipCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flip IN OUT HEX")
	}
	at, err := hex.DecodeString(args[2])
	ts.Check(err)
	data := []byte(ts.ReadFile(args[0]))
	ts.Check(flipBit(data, at))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

// corpusCommand copies files of the project's corpus to the current directory.
func corpusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: corpus FILE...")
	}
	ts.Check(copyCorpus(ts.MkAbs("."), args))
}
