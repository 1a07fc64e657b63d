package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

// hardwareFlags say what a hardware report must have been made for.
func hardwareFlags(c *cobra.Command, x *evidence.Expect) {
	f := c.Flags()
	f.Var(&parsed[[]byte]{&x.TEENonce, parseTEENonce, "HEX", ""}, "tee-nonce", "nonce of the hardware report, where it has one of its own")
	f.Var(&parsed[[]byte]{&x.ReportData, parseReportData, "HEX", ""}, "report-data", "all 64 bytes of report data that the hardware report must have")
	f.Var(&parsed[[]byte]{&x.TEEExtra, parseHex, "HEX", ""}, "tee-extra", "what the workload bound into the report data besides nonce and key")
	choice(c, &x.Binding, "tee-binding", "", "the one formula that may bind the hardware report", evidence.Bindings())
	f.Uint32Var(&x.VMPL, "vmpl", 0, "privilege `LEVEL` that an SEV-SNP report must have been asked for at")
}

// freshnessFlags say how old what Intel and AMD say may be.
func freshnessFlags(c *cobra.Command, x *evidence.Expect) {
	f := c.Flags()
	f.Var(&parsed[time.Duration]{&x.MaxAge, parseAge, "AGE", ""}, "max-age", "refuse revocation lists and collateral older than AGE: 36h, 30d")
	f.Uint32Var(&x.MinEvaluationDataNumber, "min-evaluation-number", 0, "lowest tcbEvaluationDataNumber `N` of Intel's collateral")
}

// checkHardware refuses flags that contradict each other.
func checkHardware(x *evidence.Expect) error {
	switch {
	case x.ReportData != nil && (x.TEENonce != nil || x.TEEExtra != nil || x.Binding != "" && x.Binding != "report-data"):
		return usagef("--report-data is all of the report data: it goes without --tee-nonce, --tee-extra and another --tee-binding")
	case x.InsecureNoNonce && (x.TEENonce != nil || x.ReportData != nil):
		return usagef("--insecure-no-nonce contradicts --tee-nonce and --report-data")
	case x.VMPL > maxVMPL:
		return usagef("--vmpl %d: there are levels 0 to %d", x.VMPL, maxVMPL)
	}
	return nil
}

const maxVMPL = 3

func parseHex(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	switch {
	case err != nil:
		return nil, hint.New(errors.New("not hex"), "give hex digits only, two a byte, without 0x")
	case len(b) == 0:
		return nil, errors.New("empty")
	}
	return b, nil
}

func parseTEENonce(text string) ([]byte, error) {
	b, err := parseHex(text)
	if err == nil && len(b) > evidence.MaxNonce {
		return nil, fmt.Errorf("%d bytes, at most %d fit into report data", len(b), evidence.MaxNonce)
	}
	return b, err
}

func parseReportData(text string) ([]byte, error) {
	b, err := parseHex(text)
	if err == nil && len(b) != evidence.ReportDataSize {
		return nil, hint.New(fmt.Errorf("%d bytes, want %d", len(b), evidence.ReportDataSize), "write the zeros behind a shorter value too")
	}
	return b, err
}

// parseAge reads a duration, or a number of days.
func parseAge(text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 36500
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 32); err == nil && days > 0 && days <= most {
			return time.Duration(days) * day, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, hint.New(errors.New("not an age"), "write 36h or 30d")
}
