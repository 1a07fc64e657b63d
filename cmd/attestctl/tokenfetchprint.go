package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/attestctl/attestctl/evidence/token"
	"github.com/attestctl/attestctl/internal/report"
)

const schemaKeyChanges = "attestctl.fetch-keys/v1"

// keyChanges compares the keys that an issuer has with those saved before.
type keyChanges struct {
	Schema    string      `json:"schema"`
	Issuer    string      `json:"issuer"`
	URI       string      `json:"jwks_uri"`
	Changed   bool        `json:"changed"` // false: nothing was written
	File      string      `json:"file"`    // in the trust directory, that has the keys
	FetchedAt string      `json:"fetched_at,omitempty"`
	Previous  string      `json:"previous,omitempty"` // file that the keys were compared with
	Keys      []keyChange `json:"keys"`
}

// keyChange is one key and what became of it.
type keyChange struct {
	State     string `json:"state"` // new, kept or gone
	ID        string `json:"kid"`
	Algorithm string `json:"algorithm,omitempty"`
	Type      string `json:"type"`
	Bits      int    `json:"bits"`
}

// newKeyChanges compares two key sets, of which the older may be none.
func newKeyChanges(older, newer savedKeys) *keyChanges {
	d := &keyChanges{
		Schema: schemaKeyChanges, Issuer: newer.set.Issuer, URI: newer.set.URI, File: newer.path,
		Keys: []keyChange{},
	}
	if at := newer.set.FetchedAt; !at.IsZero() {
		d.FetchedAt = at.Format(time.RFC3339)
	}
	var before []token.Key
	if older.set != nil {
		before = older.set.JWKS.Keys()
	}
	if older.path != newer.path {
		d.Previous = older.path
	}
	after := newer.set.JWKS.Keys()
	for _, key := range after {
		state := "new"
		if hasKey(before, key.ID) {
			state = "kept"
		}
		d.Keys = append(d.Keys, describeKey(state, key))
	}
	for _, key := range before {
		if !hasKey(after, key.ID) {
			d.Keys = append(d.Keys, describeKey("gone", key))
		}
	}
	d.Changed = slices.ContainsFunc(d.Keys, func(k keyChange) bool { return k.State != "kept" })
	return d
}

// hasKey goes by the kid: sets that have another key of the same kid were refused.
func hasKey(list []token.Key, id string) bool {
	return slices.ContainsFunc(list, func(k token.Key) bool { return k.ID == id })
}

func describeKey(state string, key token.Key) keyChange {
	c := keyChange{State: state, ID: key.ID, Algorithm: key.Algorithm}
	switch k := key.Public.(type) {
	case *rsa.PublicKey:
		c.Type, c.Bits = "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		c.Type, c.Bits = "EC", k.Params().BitSize
	}
	return c
}

func (k *fetchKeys) print(d *keyChanges) error {
	if k.output == "json" {
		return k.sys.writeJSON(d)
	}
	var rows [][]string
	for _, key := range d.Keys {
		rows = append(rows, []string{key.State, key.ID, key.Type, strconv.Itoa(key.Bits) + " bits", key.Algorithm})
	}
	if err := k.sys.writeTable(rows); err != nil {
		return err
	}
	word := "saved to"
	if !d.Changed {
		word = "unchanged:"
	}
	_, err := fmt.Fprintf(k.sys.stdout, "\n%s %s\n", word, report.Quote(filepath.Join(k.out, filepath.FromSlash(d.File))))
	return err
}
