package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/localtpm"
	"github.com/attestctl/attestctl/internal/report"
)

// requestTPM is the flags of request for the TPM of this machine.
type requestTPM struct {
	flags               tpmFlags
	source, log, akCert string
	wrap, ekCert        string
}

func (l *requestTPM) add(c *cobra.Command) {
	l.flags.add(c)
	addSource(c, &l.source)
	f := c.Flags()
	f.StringVar(&l.log, "event-log", "", "boot event log in `FILE` instead of that of the machine")
	f.StringVar(&l.akCert, "ak-cert", "", "certificate of the attestation key in `FILE`, if the TPM does not hold it")
	choice(c, &l.wrap, "wrap", "", "what else the secret must be encrypted to: "+wrapTPM, []string{wrapTPM})
	f.StringVar(&l.ekCert, "ek-cert", "", "certificate of the endorsement key in `FILE`, if the TPM does not hold it")
}

// wrapTPM is the one value of --wrap.
const wrapTPM = "tpm"

// check refuses flags that have no effect: each is there for a reason.
func (l *requestTPM) check(attestCmd, tokenCmd bool) error {
	given := l.given()
	switch {
	case slices.ContainsFunc([]string{l.log, l.akCert, l.ekCert}, func(s string) bool { return s == stdinName }):
		return usagef("certificates and logs are not read from standard input (-)")
	case tokenCmd && len(given) > 0:
		return hint.New(usagef("--token-cmd and %s contradict each other", given[0]), "a token names no key of a TPM: send evidence of the TPM, or leave the flag out")
	case attestCmd && (l.log != "" || l.akCert != ""):
		return hint.New(usagef("--event-log and --ak-cert are for evidence of the TPM, and --attest-cmd makes its own"), "give both to the command, or leave --attest-cmd out")
	case attestCmd && l.wrap == "" && len(given) > 0:
		return hint.New(usagef("%s is for the TPM, which --attest-cmd without --wrap tpm does not use", given[0]), "add --wrap tpm, or leave one of them out")
	case l.ekCert != "" && l.wrap == "":
		return usagef("--ek-cert is for --wrap tpm, which is missing")
	}
	return nil
}

// given lists the flags that are.
func (l *requestTPM) given() (names []string) {
	for _, f := range []struct{ name, value string }{
		{"--wrap", l.wrap},
		{"--tpm", l.flags.device},
		{"--ak", l.source},
		{"--algo", l.flags.algorithm},
		{"--event-log", l.log},
		{"--ak-cert", l.akCert},
		{"--ek-cert", l.ekCert},
	} {
		if f.value != "" {
			names = append(names, f.name)
		}
	}
	return names
}

// machineTPM is the TPM of this machine, with what a request needs of it.
type machineTPM struct {
	tpm localtpm.TPM
	log []byte       // of the boot, if the TPM attests
	ek  *localtpm.EK // if it opens what comes
}

func (m *machineTPM) wraps() bool { return m.ek != nil }

// openTPM reads what can be read before a server is asked.
func (r *request) openTPM(ctx context.Context) (*machineTPM, error) {
	l := &r.local
	m := &machineTPM{tpm: l.flags.tpm(l.source)}
	var err error
	if m.tpm.AKCertificate, err = r.certificate("--ak-cert", l.akCert); err != nil {
		return nil, err
	}
	if r.words == nil {
		if err := m.tpm.Check(ctx); err != nil {
			return nil, err
		}
		if m.log, err = localtpm.ReadEventLog(l.log); err != nil {
			return nil, err
		}
	}
	if l.wrap == "" {
		return m, nil
	}
	cert, err := r.certificate("--ek-cert", l.ekCert)
	if err != nil {
		return nil, err
	}
	ek, err := m.tpm.EK(ctx, cert)
	m.ek = &ek
	return m, err
}

// certificate reads one certificate, PEM or DER; without a name there is none.
func (r *request) certificate(flag, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	data, err := r.sys.readFile(name)
	if block, _ := pem.Decode(data); block != nil && block.Type == "CERTIFICATE" {
		data = block.Bytes
	}
	if err == nil {
		if _, bad := x509.ParseCertificate(data); bad != nil {
			err = hint.New(errors.New("not a certificate"), "give one certificate in PEM or DER")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, report.Quote(name), err)
	}
	return data, nil
}
