package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// tokenFlags say what an attestation token must have been made for.
func tokenFlags(c *cobra.Command, x *evidence.TokenExpect) {
	f := c.Flags()
	f.StringVar(&x.Audience, "audience", "", "`AUDIENCE` that a token must have been made for")
	f.StringVar(&x.Issuer, "issuer", "", "issuer `URL` of a token (default that of Google Cloud Attestation)")
	choice(c, &x.Profile, "token-profile", "", "kind of issuer, where --issuer does not say it: ear", evidence.TokenProfiles())
	f.Var(&parsed[[]string]{&x.Without, parseLacks, "LIST", ""}, "without",
		"claims that a token was made without and must not have: "+strings.Join(evidence.TokenLacks(), ", "))
	known := cobra.FixedCompletions([]string{evidence.GoogleIssuer}, cobra.ShellCompDirectiveNoFileComp)
	if err := c.RegisterFlagCompletionFunc("issuer", known); err != nil {
		panic(err) // the flag is missing or has a completion already
	}
}

func parseLacks(text string) ([]string, error) {
	list := strings.Split(text, ",")
	for _, name := range list {
		if !slices.Contains(evidence.TokenLacks(), name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(evidence.TokenLacks(), ", "))
		}
	}
	return list, nil
}

func lacksNonce(x *evidence.Expect) bool { return slices.Contains(x.Token.Without, "nonce") }

// checkToken refuses flags that contradict each other. Unless another issuer is
// named, or none expected, it is Google's.
func checkToken(x *evidence.TokenExpect) error {
	lacks := func(what string) bool { return slices.Contains(x.Without, what) }
	switch {
	case lacks("audience") && x.Audience != "":
		return usagef("--audience and --without audience contradict each other")
	case lacks("issuer") && x.Issuer != "":
		return usagef("--issuer and --without issuer contradict each other")
	}
	if x.Issuer == "" && !lacks("issuer") {
		x.Issuer = evidence.GoogleIssuer
	}
	return nil
}

// readChallenge takes the nonce from the challenge that a verifier handed out.
func (v *verify) readChallenge() error {
	if v.challenge == "" {
		return nil
	}
	data, err := v.sys.readFile(v.challenge)
	if err == nil {
		var c evidence.Challenge
		if c, err = evidence.ParseChallenge(data); err == nil {
			v.expect.Nonce, v.asked = c.Nonce, c.Nonce
			return nil
		}
	}
	return &exitError{exitTool, hint.New(fmt.Errorf("--challenge %s: %w", report.Quote(v.challenge), err),
		"give the JSON that CreateChallenge of the Confidential Computing API answered")}
}
