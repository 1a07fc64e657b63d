package policy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Accepted is a survivor that somebody has looked at and that may stay.
type Accepted struct {
	// Policy is the one it is about; empty is any.
	Policy string `json:"policy,omitempty"`
	// Claim is its path as Mutation spells it; [*] stands for any index.
	Claim string `json:"claim"`
	// Mutation is the kind of change, one of Mutations; empty is any.
	Mutation string `json:"mutation,omitempty"`
	// Reason says why it may stay.
	Reason string `json:"reason"`
}

func (a Accepted) String() string { return strings.TrimSpace(a.Claim + " " + a.Mutation) }

// Mutations lists the kinds of changes that Mutate makes.
func Mutations() []string {
	return []string{"remove", "null", "retype", "empty", "flip", "off-by-one", "other", "input"}
}

// ParseAccepted reads a list of accepted survivors from the text of a JSON or
// YAML file; the name tells which. Each entry needs a claim and a reason.
func ParseAccepted(name, text string) ([]Accepted, error) {
	doc, err := parseDocument("a list of survivors", name, text)
	if err != nil {
		return nil, err
	}
	items, ok := doc.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", name)
	}
	list := make([]Accepted, len(items))
	for i, item := range items {
		if list[i], err = acceptedOf(item); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", name, i+1, err)
		}
	}
	return list, nil
}

func acceptedOf(item any) (a Accepted, err error) {
	fields, ok := item.(map[string]any)
	if !ok {
		return a, errors.New("not an object with claim and reason")
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		text, ok := fields[key].(string)
		if !ok {
			return a, fmt.Errorf("%s is not a string", key)
		}
		field := map[string]*string{"policy": &a.Policy, "claim": &a.Claim, "mutation": &a.Mutation, "reason": &a.Reason}[key]
		if field == nil {
			return a, fmt.Errorf("no field %q: there are policy, claim, mutation and reason", key)
		}
		*field = strings.TrimSpace(text)
	}
	switch {
	case a.Claim == "":
		return a, errors.New("no claim")
	case a.Reason == "":
		return a, fmt.Errorf("no reason why %s may survive", a)
	case a.Mutation != "" && !slices.Contains(Mutations(), a.Mutation):
		return a, fmt.Errorf("no mutation %q: there are %s", a.Mutation, strings.Join(Mutations(), ", "))
	}
	return a, nil
}

// Accept marks the survivors that are on the list, whatever policy its entries
// name, and returns the entries that no survivor needs. The first that fits
// gives the reason.
func (m *Mutation) Accept(list []Accepted) (unused []Accepted) {
	used := make([]bool, len(list))
	patterns := make([]*regexp.Regexp, len(list))
	for i, a := range list {
		quoted := strings.ReplaceAll(regexp.QuoteMeta(a.Claim), regexp.QuoteMeta("[*]"), `\[[^\]]*\]`)
		patterns[i] = regexp.MustCompile(`^(?:` + quoted + `)$`)
	}
	for c := range m.Claims {
		for s := range m.Claims[c].Survivors {
			survivor := &m.Claims[c].Survivors[s]
			for i, a := range list {
				if !patterns[i].MatchString(m.Claims[c].Claim) || a.Mutation != "" && a.Mutation != survivor.Mutation {
					continue
				}
				used[i] = true
				if survivor.Accepted == "" {
					survivor.Accepted = a.Reason
					m.Accepted += len(survivor.Documents)
				}
			}
		}
	}
	for i, a := range list {
		if !used[i] {
			unused = append(unused, a)
		}
	}
	return unused
}
