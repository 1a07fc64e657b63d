package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/replay"
)

func TestParseNonce(t *testing.T) {
	for text, want := range map[string]string{
		"5f5F":                   "\x5f\x5f",
		strings.Repeat("00", 64): strings.Repeat("\x00", 64),
	} {
		if got, err := parseNonce(text); err != nil || string(got) != want {
			t.Errorf("parseNonce(%q) = %x, %v; want %x", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "5f5", "0x5f", "5f ", " 5f", "5f5f\n", "5g", "5f:5f", "X18=", "５f", strings.Repeat("00", 65)} {
		if got, err := parseNonce(text); err == nil || hint.Of(err) == "" {
			t.Errorf("parseNonce(%q) = %x, %v; want an error with a hint", text, got, err)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 2, 24, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-02-24", "2026-02-24T00:00:00Z", "2026-02-24T01:00:00+01:00", "1771891200"} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("parseTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "now", "2026-02-30", "24.02.2026", "-1", "1.5", "1771891200000", "99999999999999999999", "2026-02-24 00:00:00"} {
		if got, err := parseTime(text); err == nil || hint.Of(err) == "" {
			t.Errorf("parseTime(%q) = %v, %v; want an error with a hint", text, got, err)
		}
	}
}

func TestParsePCRs(t *testing.T) {
	for text, want := range map[string][]int{
		"0": {0}, "23": {23}, "0-2,14": {0, 1, 2, 14}, "14,0-1": {0, 1, 14}, "4,4,3-5": {3, 4, 5},
	} {
		if got, err := parsePCRs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("parsePCRs(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ",", "0,", "-1", "24", "0-24", "5-3", "0-", "a", "0 1", "0-1-2", "+1", "256"} {
		if got, err := parsePCRs(text); err == nil {
			t.Errorf("parsePCRs(%q) = %v, want an error", text, got)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{&evidence.Refusal{}, exitRefused},
		{&evidence.FormatError{Err: errors.New("x")}, exitRefused},
		{fmt.Errorf("file: %w", hint.New(&replay.ParseError{}, "h")), exitRefused},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, exitTool},
		{errors.New("anything else"), exitTool},
	} {
		if got := codeOf(test.err); got != test.want {
			t.Errorf("codeOf(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}
