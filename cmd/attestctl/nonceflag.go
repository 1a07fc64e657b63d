package main

import (
	"cmp"
	"errors"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/internal/hint"
)

// nonceFlag is the nonce as it was written. A TPM or a hardware report signs
// bytes, which are written in hex; a token carries the text that was asked for.
// Which of the two the evidence is shows only when it is read.
type nonceFlag struct {
	expect *evidence.Expect
	text   string
	notHex error // why raw evidence cannot have been made for it
}

// Set implements pflag.Value.
func (n *nonceFlag) Set(text string) error {
	if text == "" {
		return hint.New(errors.New("empty"), "give the nonce that was sent to the VM")
	}
	n.text, n.expect.Token.Nonce = text, text
	n.expect.Nonce, n.notHex = parseNonce(text)
	return nil
}

// String implements pflag.Value.
func (n *nonceFlag) String() string { return n.text }

// Type implements pflag.Value.
func (n *nonceFlag) Type() string { return "NONCE" }

const nonceUsage = "nonce that was sent to the VM: 16 to 64 bytes in hex, for a token the text itself"

// fits reports whether evidence of the format can have been made for the nonce
// as it is written.
func (n *nonceFlag) fits(format string) error {
	size := len(n.expect.Nonce)
	switch {
	case n.text == "" || evidence.TakesTextNonce(format):
		return nil
	case n.notHex != nil:
		return hint.New(usagef("invalid argument %q for \"--nonce\" flag: %v", n.text, n.notHex),
			cmp.Or(hint.Of(n.notHex), "only tokens carry a nonce that is not hex"))
	case size < evidence.MinNonce && !n.expect.InsecureShortNonce:
		return hint.New(usagef("--nonce has %d bytes, fewer than %d can be guessed", size, evidence.MinNonce),
			"use a fresh random nonce of 32 bytes; --insecure-short-nonce accepts this one")
	}
	return nil
}

// checkNonce wants something that evidence must have been made for.
func checkNonce(n *nonceFlag) error {
	x := n.expect
	asked := n.text != "" || len(x.Nonce) > 0
	instead := x.InsecureNoNonce || x.TEENonce != nil || x.ReportData != nil || lacksNonce(x)
	switch {
	case !asked && !instead:
		return hint.New(usagef("verify needs --nonce: without it old evidence looks fresh"),
			"pass the nonce that was sent to the VM; a token that was asked for without one is --without nonce; "+
				"--insecure-no-nonce shows the other checks")
	case asked && x.InsecureNoNonce:
		return usagef("--nonce and --insecure-no-nonce contradict each other")
	}
	return n.checkText()
}

// checkText judges the nonce as a token would carry it.
func (n *nonceFlag) checkText() error {
	switch x := n.expect; {
	case lacksNonce(x) && x.InsecureNoNonce:
		return usagef("--without nonce and --insecure-no-nonce contradict each other: one expects no nonce, the other does not look")
	case n.text == "":
		return nil
	case lacksNonce(x):
		return usagef("--nonce and --without nonce contradict each other")
	case len(n.text) < evidence.MinTokenNonce && !x.InsecureShortNonce:
		return hint.New(usagef("--nonce has %d characters, which can be guessed", len(n.text)),
			"use a fresh random nonce of 32 bytes; --insecure-short-nonce accepts this one")
	}
	return nil
}
