package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/attestctl/attestctl/internal/forge"
)

// tokensCommand writes tokens, exports of Cloud Logging and a request of the
// Confidential Computing API, and below trust what they are to be verified with:
// tokens DIR. Tokens carry the nonce "nonce-of-the-script".
func tokensCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tokens DIR")
	}
	files, err := tokenFiles()
	ts.Check(err)
	ts.Check(writeTree(ts.MkAbs(args[0]), files))
}

func writeTree(dir string, files map[string][]byte) error {
	for name, data := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func tokenFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	nonces := []string{"nonce-of-the-script"}
	trust := func(e *forge.Evidence) {
		for name, data := range e.TrustFiles() {
			files["trust/"+name] = data
		}
	}
	for name, t := range map[string]forge.Token{
		"token.jwt": {Nonces: nonces}, "pki.jwt": {Nonces: nonces, PKI: true}, "bare.jwt": {Nonces: []string{}},
		"azure.jwt": {Profile: forge.AzureProfile, Nonces: nonces},
	} {
		e, err := t.Mint()
		if err != nil {
			return nil, err
		}
		files[name] = append(e.Raw, '\n')
		trust(e)
	}
	logs, err := logFiles(trust)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, logs)
	return files, restFiles(files, trust)
}

// logFiles are the export of one run, and that of three of which one has the
// token of another machine.
func logFiles(trust func(*forge.Evidence)) (map[string][]byte, error) {
	run := func(i int64) forge.LogRun {
		m := forge.Machine{Technology: forge.AMDSEV, Instance: forge.DefaultInstance()}
		m.Instance.ID += i
		return forge.LogRun{
			Machine: m, Token: forge.Token{Nonces: []string{}}, At: forge.Now().Add(time.Duration(i) * 24 * time.Hour),
		}
	}
	foreign := run(1)
	foreign.Token.Machine = &forge.Machine{Technology: forge.IntelTDX}
	files := map[string][]byte{}
	for name, c := range map[string]forge.CloudLog{
		"log.json":    {Runs: []forge.LogRun{run(0)}},
		"logs.ndjson": {Runs: []forge.LogRun{run(0), foreign, run(2)}, NDJSON: true},
	} {
		e, err := c.Export()
		if err != nil {
			return nil, err
		}
		files[name] = e.Raw
		trust(e)
		if name == "log.json" {
			if files["log-challenge.json"], err = (forge.REST{}).ChallengeJSON(e.Nonce); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func restFiles(files map[string][]byte, trust func(*forge.Evidence)) error {
	e, err := forge.Machine{Technology: forge.AMDSEV}.Attest(forge.ChallengeNonce(forge.NewKeys(forge.DefaultSeed), "script"))
	if err != nil {
		return err
	}
	trust(e)
	if files["request.json"], err = e.RESTBody(forge.REST{}); err != nil {
		return err
	}
	files["challenge.json"], err = forge.REST{}.ChallengeJSON(e.Nonce)
	return err
}
