package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// parsed is a flag whose text is parsed where it is given.
type parsed[T any] struct {
	value *T
	parse func(string) (T, error)
	name  string // of the argument in help texts
	text  string
}

// Set implements pflag.Value.
func (p *parsed[T]) Set(text string) (err error) {
	p.text = text
	*p.value, err = p.parse(text)
	return err
}

// String implements pflag.Value.
func (p *parsed[T]) String() string { return p.text }

// Type implements pflag.Value.
func (p *parsed[T]) Type() string { return p.name }

// parseNonce reads hex without prefix, space or separator. Whether it is long
// enough is decided with the other flags.
func parseNonce(text string) ([]byte, error) {
	nonce, err := hex.DecodeString(text)
	switch {
	case errors.Is(err, hex.ErrLength):
		return nil, hint.New(errors.New("odd number of hex digits"), "give each byte as two digits")
	case err != nil:
		return nil, hint.New(errors.New("not hex"), "give the nonce as hex digits only, two a byte, without 0x")
	case len(nonce) == 0:
		return nil, hint.New(errors.New("empty"), "give the nonce that was sent to the VM")
	case len(nonce) > evidence.MaxNonce:
		return nil, hint.New(fmt.Errorf("%d bytes, at most %d fit into a quote", len(nonce), evidence.MaxNonce),
			"give the nonce as the TPM got it, perhaps the hash of yours")
	}
	return nonce, nil
}

var errTime = hint.New(errors.New("not a time"), "write 2026-11-23T08:00:00Z, 2026-11-23, or seconds since 1970")

// parseTime reads RFC 3339, a date (midnight UTC), or Unix seconds.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return time.Time{}, errTime
	}
	t := time.Unix(int64(n), 0).UTC()
	if t.Year() > 9999 {
		return time.Time{}, hint.New(fmt.Errorf("after the year 9999"), "give seconds, not milliseconds")
	}
	return t, nil
}

// parsePCRs reads a list of PCRs and ranges of them, such as "0-9,14".
func parsePCRs(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := parsePCR(first)
		if err != nil {
			return nil, err
		}
		to, err := parsePCR(last)
		if err != nil {
			return nil, err
		}
		if to < from {
			return nil, fmt.Errorf("range %q runs backwards", part)
		}
		for pcr := from; pcr <= to; pcr++ {
			list = append(list, pcr)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func parsePCR(text string) (int, error) {
	pcr, err := strconv.ParseUint(text, 10, 8)
	if err != nil || pcr > tpm.MaxPCR {
		return 0, hint.New(fmt.Errorf("%q is not a PCR from 0 to %d", text, tpm.MaxPCR), "write a list such as 0-9,14")
	}
	return int(pcr), nil
}

// oneOf parses a word out of a list.
func oneOf(words []string) func(string) (string, error) {
	return func(text string) (string, error) {
		if !slices.Contains(words, text) {
			return "", errors.New("want " + strings.Join(words, ", "))
		}
		return text, nil
	}
}

// choice adds a flag that takes one of a list of words, and completes them.
func choice(c *cobra.Command, value *string, name, short, usage string, words []string) {
	c.Flags().VarP(&parsed[string]{value, oneOf(words), strings.ToUpper(name), *value}, name, short, usage)
	err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is missing or has a completion already
	}
}

func outputFlag(c *cobra.Command, value *string) {
	*value = report.Formats()[0]
	choice(c, value, "output", "o", "output format: "+strings.Join(report.Formats(), ", "), report.Formats())
}

func formatFlag(c *cobra.Command, value *string) {
	choice(c, value, "format", "", "evidence format, which is detected otherwise", evidence.Formats())
	c.Long += "\n\nFormats: " + wrapList(evidence.Formats())
}

// wrapList joins words in lines that fit a terminal.
func wrapList(words []string) string {
	const width = 90
	text, line := "", 0
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		switch {
		case i == 0:
		case line+len(w) > width:
			text, line = text+"\n  ", 0
		default:
			text += " "
		}
		text, line = text+w, line+len(w)+1
	}
	return text
}
