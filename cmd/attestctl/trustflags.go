package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// trustFlags say whose signatures count.
type trustFlags struct {
	dir, akPub string
}

func (t *trustFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.dir, "trust", "", "trust the anchors in `DIR` instead of the embedded ones")
	f.StringVar(&t.akPub, "ak-pub", "", "trust the attestation key in `FILE` and nothing else: TPM2B_PUBLIC, PEM or DER")
}

func (t *trustFlags) load(sys *system) (*evidence.Trust, error) {
	switch {
	case t.akPub != "" && t.dir != "":
		return nil, hint.New(usagef("--ak-pub trusts one key and nothing else, so that --trust would mean nothing"),
			"to trust both, put the key into ak/pins of the trust directory")
	case t.akPub != "":
		return t.pin(sys)
	case t.dir != "":
		return loadTrust(t.dir)
	default:
		return evidence.EmbeddedTrust()
	}
}

// pin never gives exit code 3: a pinned file is no evidence.
func (t *trustFlags) pin(sys *system) (*evidence.Trust, error) {
	key, err := sys.readFile(t.akPub)
	var trust *evidence.Trust
	if err == nil {
		trust, err = evidence.PinAK(key)
	}
	if err != nil {
		return nil, &exitError{exitTool, fmt.Errorf("--ak-pub %s: %w", report.Quote(t.akPub), err)}
	}
	return trust, nil
}

func loadTrust(dir string) (*evidence.Trust, error) {
	t, err := evidence.LoadTrust(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("--trust %s: %w", report.Quote(dir), err)
	}
	return t, nil
}
