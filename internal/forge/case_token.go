package forge

import (
	"encoding/json"
	"slices"
)

// TokenCases returns the catalogue of rows 1 to 11, 13 and 14 of the acceptance
// table as far as one token shows them, and of what the table leaves out. Of row
// 11 there is the refusal of a second spelling, not of a second use. Key sets,
// row 12, are [HostileKeySets].
func TokenCases() []Case {
	keys := NewKeys(DefaultSeed)
	cases := slices.Concat(
		jsonFormCases(), algorithmCases(), symmetricCases(keys),
		embeddedKeyCases(keys), tokenChainCases(), foreignChainCases(keys), tokenRevocationCases(keys),
		audienceCases(), issuerCases(), timeCases(),
		duplicateCases(), criticalCases(), spellingCases(), nonceShapeCases(), debugImageCases(),
		keyIDCases(keys), tokenBombCases(), typeCases(), encryptedCases(), lookalikeCases(), subjectCases(), claimTypeCases(),
	)
	for i := range cases {
		t := Token{}
		if cases[i].token != nil {
			t = *cases[i].token
		}
		t.Keys = keys
		cases[i].token = &t
	}
	return cases
}

func (c Case) buildToken() (*Evidence, error) {
	t := *c.token
	if c.mint != nil {
		c.mint(&t)
	}
	e, err := t.Mint()
	if err != nil {
		return nil, err
	}
	return e, apply(c.trust, e)
}

// of gives the cases that have no token of their own this one.
func of(t Token, cases ...Case) []Case {
	for i := range cases {
		if cases[i].token == nil {
			cases[i].token = &t
		}
	}
	return cases
}

// The functions below turn an edit of one stage into one of a token.

func claiming(edit func(*Object)) func(*Token) {
	return func(t *Token) { t.Edits.Claims = func(o *Object) error { edit(o); return nil } }
}

func heading(edit func(*Object)) func(*Token) {
	return func(t *Token) { t.Edits.Header = func(o *Object) error { edit(o); return nil } }
}

func setting(name string, value any) func(*Token) {
	return claiming(func(o *Object) { o.Set(name, value) })
}

func without(name string) func(*Token) {
	return claiming(func(o *Object) { o.Delete(name) })
}

func settingHeader(name string, value any) func(*Token) {
	return heading(func(o *Object) { o.Set(name, value) })
}

// signed sets how the token is signed and what its header says of it.
func signed(alg string, edit func(*Signing)) func(*Token) {
	return func(t *Token) {
		settingHeader("alg", alg)(t)
		t.Edits.Signing = func(s *Signing) error { edit(s); return nil }
	}
}

func compacting(edit func([]byte) []byte) func(*Token) {
	return func(t *Token) { t.Edits.Compact = func(b []byte) ([]byte, error) { return edit(b), nil } }
}

func encoding(edit func([]byte) []byte) func(*Token) {
	return func(t *Token) { t.Edits.Payload = func(b []byte) ([]byte, error) { return edit(b), nil } }
}

// edits runs several one after the other. Two of one stage are one too many.
func edits(all ...func(*Token)) func(*Token) {
	return func(t *Token) {
		for _, edit := range all {
			edit(t)
		}
	}
}

// space is a token of Confidential Space.
func space() Token {
	return Token{Machine: &Machine{Technology: AMDSEV, Container: DefaultContainer(), Boot: Boot{CommandLine: HardenedCommandLine}}}
}

// null is the value of a member that is there and null.
func null() json.RawMessage { return json.RawMessage("null") }
