package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attestctl/attestctl/evidence"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// parsePCRValues reads PCR values in one of two forms: what tpm2_pcrread
// prints, or JSON. Every bank and every PCR may come once.
func parsePCRValues(data []byte) ([]evidence.PCRBank, error) {
	v := pcrValues{}
	read := v.readLines
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		read = v.readJSON
	}
	if err := read(data); err != nil {
		return nil, hint.New(fmt.Errorf("PCR values: %w", err),
			`write them with tpm2_pcrread, or as JSON {"sha256": {"0": "hex"}}`)
	}
	var banks []evidence.PCRBank
	for _, alg := range tpm.Banks {
		if len(v[alg]) > 0 {
			banks = append(banks, evidence.PCRBank{Alg: alg, Values: v[alg]})
		}
	}
	if len(banks) == 0 {
		return nil, errors.New("no PCR values")
	}
	return banks, nil
}

type pcrValues map[tpm.Alg]map[int][]byte

// bank starts a bank.
func (v pcrValues) bank(name string) (tpm.Alg, error) {
	i := slices.IndexFunc(tpm.Banks, func(a tpm.Alg) bool { return strings.EqualFold(a.String(), name) })
	if i < 0 {
		return 0, fmt.Errorf("unknown bank %q", name)
	}
	alg := tpm.Banks[i]
	if v[alg] != nil {
		return 0, fmt.Errorf("bank %v comes twice", alg)
	}
	v[alg] = map[int][]byte{}
	return alg, nil
}

// add takes the value of a PCR in hex, with or without 0x.
func (v pcrValues) add(alg tpm.Alg, index, value string) error {
	pcr, err := parsePCR(index)
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(strings.TrimPrefix(strings.TrimPrefix(value, "0x"), "0X"))
	switch _, twice := v[alg][pcr]; {
	case err != nil:
		return fmt.Errorf("%v PCR %d: %w", alg, pcr, err)
	case len(digest) != alg.Size():
		return fmt.Errorf("%v PCR %d has %d bytes, want %d", alg, pcr, len(digest), alg.Size())
	case twice:
		return fmt.Errorf("%v PCR %d comes twice", alg, pcr)
	}
	v[alg][pcr] = digest
	return nil
}

// readLines reads "  sha256:" followed by lines "    0 : 0x...".
func (v pcrValues) readLines(data []byte) error {
	var alg tpm.Alg
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, found := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		var err error
		switch {
		case !found:
			err = errors.New("neither a bank nor a value")
		case value == "":
			alg, err = v.bank(key)
		case alg == 0:
			err = errors.New("value before the name of its bank")
		default:
			err = v.add(alg, key, value)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return nil
}

// readJSON reads {"sha256": {"0": "hex"}}, also as the member "values" of an
// object that describes them.
func (v pcrValues) readJSON(data []byte) error {
	var banks object[json.RawMessage]
	if err := json.Unmarshal(data, &banks); err != nil {
		return err
	}
	if values, ok := banks["values"]; ok {
		if err := json.Unmarshal(values, &banks); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(banks)) {
		alg, err := v.bank(name)
		if err != nil {
			return err
		}
		var values object[string]
		if err := json.Unmarshal(banks[name], &values); err != nil {
			return fmt.Errorf("bank %v: %w", alg, err)
		}
		for _, index := range slices.Sorted(maps.Keys(values)) {
			if err := v.add(alg, index, values[index]); err != nil {
				return err
			}
		}
	}
	return nil
}

// object is a JSON object in which no name comes twice.
type object[V any] map[string]V

// UnmarshalJSON implements json.Unmarshaler.
func (o *object[V]) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	*o = object[V]{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		key := fmt.Sprint(name)
		if _, twice := (*o)[key]; twice {
			return fmt.Errorf("%q comes twice", key)
		}
		var value V
		if err := d.Decode(&value); err != nil {
			return err
		}
		(*o)[key] = value
	}
	return nil
}
