package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// tcb is the command and its flags.
type tcb struct {
	sys                             *system
	floorFile, keyFile, format, out string

	floor *evidence.Floor // nil: none was given
	key   *evidence.SNPKey
}

func newTCB(sys *system) *cobra.Command {
	t := &tcb{sys: sys}
	c := leaf(&cobra.Command{
		Use:   "tcb FILE... [--floor FILE] [flags]",
		Short: "Show the firmware levels that a hardware report names, without verifying any of it",
		Long: `Tcb decodes the TCBs, the security versions of the firmware, of the SEV-SNP report
or TDX quote that evidence carries. It checks no signature: what it prints is
decoded, not verified, and may be made up. Only verify proves anything.

Of an SEV-SNP report it shows the reported, committed, current and launch TCB by
component, those of its VCEK or VLEK certificate, whether that certificate fits and
what differs if not, and where AMD serves the VCEK that fits. Nothing is fetched.
Of a TDX quote it shows the SVNs of the TDX module, the quoting enclave and the PCK.

With --floor it says which reports would fail a floor: JSON or YAML, one entry a
product, and in it the components that have a floor:

  Milan: {bootloader: 4, tee: 0, snp: 28, microcode: 222}
  Genoa: {snp: 27}
  Turin: {fmc: 0, bootloader: 1, snp: 2, microcode: 71}
  TDX: {tee_tcb_svn: "05010200000000000000000000000000", pcesvn: 13, qe_svn: 8}

Of an SEV-SNP report the reported, committed and launch TCB must reach it; of a TDX
quote every number by itself, for TDX 1.5 those at launch and those of now. A product
that the floor does not name fails.

FILE may be a directory, whose regular files are searched, or "-". For many files
the exit code is the largest of theirs: 0 decoded (and reaching the floor), 1 not
readable, 3 no evidence with a hardware report, 5 below the floor.`,
		Example: `  attestctl tcb report.bin
  attestctl tcb report.bin --snp-cert vcek.der
  attestctl tcb reports/ --floor floor.yaml -o json`,
		Args: arguments(1, -1, "FILE"),
	}, t.run)
	f := c.Flags()
	f.StringVar(&t.floorFile, "floor", "", "say which reports do not reach the floor in `FILE`, JSON or YAML")
	f.StringVar(&t.keyFile, "snp-cert", "", "compare with the VCEK or VLEK certificate in `FILE` instead of the one in the evidence")
	formatFlag(c, &t.format)
	outputFlag(c, &t.out)
	return c
}

func (t *tcb) run(args []string) error {
	if countStdin(append([]string{t.floorFile, t.keyFile}, args...)) > 1 {
		return usagef("standard input (-) is named twice and can be read once")
	}
	if err := t.readFlags(); err != nil {
		return err
	}
	files, many, err := expand(args)
	if err != nil {
		return err
	}
	if many {
		return t.many(files)
	}
	return t.one(files[0])
}

// readFlags reads the files that flags name. An error never gives exit code 3:
// they are no evidence.
func (t *tcb) readFlags() error {
	if t.floorFile != "" {
		floor, err := readFloor(t.sys, t.floorFile)
		if err != nil {
			return &exitError{exitTool, fmt.Errorf("--floor %s: %w", report.Quote(t.floorFile), err)}
		}
		t.floor = &floor
	}
	if t.keyFile == "" {
		return nil
	}
	data, err := t.sys.readFile(t.keyFile)
	if err == nil {
		t.key, err = evidence.ParseSNPKey(data)
	}
	if err != nil {
		return &exitError{exitTool, fmt.Errorf("--snp-cert %s: %w", report.Quote(t.keyFile), err)}
	}
	return nil
}

// decode reads one file and compares it with the floor.
func (t *tcb) decode(name string) (*report.TCB, error) {
	b, err := t.sys.load(name, t.format)
	if err != nil {
		return nil, err
	}
	tcbs, err := evidence.TCBsWithKey(b, t.key)
	if err != nil {
		return nil, inFile(name, err)
	}
	return report.NewTCB(name, b.Format(), tcbs, t.floor), nil
}

// one prints the TCBs of one file in full.
func (t *tcb) one(name string) error {
	doc, err := t.decode(name)
	if err != nil {
		return err
	}
	if err := report.Write(t.sys.stdout, t.out, doc, t.sys.style()); err != nil {
		return err
	}
	if doc.Floor != nil && !doc.Floor.Reached {
		why := doc.Floor.Below[0]
		err := &exitError{exitFailed, fmt.Errorf("%s would fail the floor: %s", report.Quote(name), why)}
		return hint.New(err, floorAdvice(why))
	}
	return nil
}

func floorAdvice(why string) string {
	if strings.HasPrefix(why, "no floor") {
		return "add the product to the floor; a version 2 report also needs the certificate that fits it (--snp-cert)"
	}
	return "update the firmware of the host, commit it and start the guest again"
}

// many prints a line for each file and a summary.
func (t *tcb) many(files []string) error {
	list := report.NewTCBList(t.floor != nil)
	worst := exitAccepted
	bar := t.sys.progress(len(files))
	if bar.bar != nil {
		bar.bar.Describe("decoding")
	}
	for _, name := range files {
		doc, err := t.decode(name)
		switch {
		case err != nil:
			code := codeOf(err)
			worst = max(worst, code)
			list.AddError(name, plainError(err), code == exitRefused)
		default:
			list.Add(doc)
			if doc.Floor != nil && !doc.Floor.Reached {
				worst = max(worst, exitFailed)
			}
		}
		bar.step()
	}
	bar.hide()
	if err := report.Write(t.sys.stdout, t.out, list, t.sys.style()); err != nil {
		return err
	}
	if worst == exitAccepted {
		return nil
	}
	err := &exitError{worst, errors.New(list.Summary.String())}
	return hint.New(err, "name one of them alone to see all of its numbers and what to do")
}

// plainError returns the cause of an error that stands beside the file's name.
func plainError(err error) error {
	if malformed, ok := errors.AsType[*evidence.FormatError](err); ok {
		return malformed
	}
	return err
}
