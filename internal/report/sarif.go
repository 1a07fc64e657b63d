package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"slices"
	"strings"
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	toolURI     = "https://github.com/attestctl/attestctl"
)

// The parts of SARIF 2.1.0 that GitHub's code scanning reads.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
	ColumnKind  string            `json:"columnKind"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool `json:"executionSuccessful"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
	Kind               string `json:"kind"`
}

// encodeSARIF writes one result for each finding of a test that failed. Its rule
// is the check or the policy's code, and its fingerprint stays the same while
// only values change.
func encodeSARIF(r *PolicyTest, _ Style) ([]byte, error) {
	results := []sarifResult{}
	for i := range r.Tests {
		t := &r.Tests[i]
		if !t.Failed() {
			continue
		}
		for _, f := range findings(t) {
			results = append(results, sarifResultOf(t, f))
		}
	}
	return sarifOf(results, func(id string) string { return "attestctl policy test: " + id })
}

// sarifOf makes the log of one run; describe says what a rule is.
func sarifOf(results []sarifResult, describe func(id string) string) ([]byte, error) {
	ids := make([]string, 0, len(results))
	for _, r := range results {
		ids = append(ids, r.RuleID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rules := make([]sarifRule, 0, len(ids))
	for _, id := range ids {
		rules = append(rules, sarifRule{id, sarifText{describe(id)}})
	}
	for i := range results {
		results[i].RuleIndex = slices.Index(ids, results[i].RuleID)
	}
	return marshal(sarifLog{sarifSchema, "2.1.0", []sarifRun{{
		Tool:        sarifTool{sarifDriver{"attestctl", toolURI, rules}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true}},
		Results:     results, ColumnKind: "unicodeCodePoints",
	}}})
}

// findings gives a test that failed without one a finding.
func findings(t *Test) []Finding {
	if len(t.Findings) == 0 {
		return []Finding{{Rule: t.Kind, Message: t.Status}}
	}
	return t.Findings
}

func sarifRuleID(f Finding) string { return cmp.Or(Escape(f.Rule), "unknown") }

func sarifResultOf(t *Test, f Finding) sarifResult {
	message := strings.Join(escapedLines(f.sentence()), "\n")
	name := Escape(t.Suite + ": " + t.Name)
	file, line := t.where(f)
	subject, _, _ := strings.Cut(f.Message, ": ") // the claim or check, without its values
	return sarifResult{
		RuleID: sarifRuleID(f), Level: "error", Message: sarifText{name + ": " + message},
		Locations:    []sarifLocation{sarifAt(name, file, line, 0)},
		Fingerprints: fingerprint(t.Suite, t.Kind, t.Name, f.Rule, subject),
	}
}

// sarifAt is a place by name, and in a file if that is one of the repository's.
func sarifAt(name, file string, line, column int) sarifLocation {
	at := sarifLocation{Logical: []sarifLogical{{name, "member"}}}
	if file != "" && isPath(file) {
		at.Physical = &sarifPhysical{sarifArtifact{fileURI(file)}, sarifRegion{line, column}}
	}
	return at
}

// fingerprint tells a result from others, in this run and in later ones.
func fingerprint(parts ...string) map[string]string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return map[string]string{"attestctl/v1": hex.EncodeToString(sum[:])}
}

// fileURI makes a relative path a URI reference: the first part must not look
// like a scheme.
func fileURI(file string) string {
	u := url.URL{Path: path.Clean(strings.ToValidUTF8(file, "\ufffd"))}
	return u.String()
}
