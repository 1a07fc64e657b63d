package strictjson

import (
	"strings"
	"unicode"
)

// names finds the name that an object has twice.
type names struct {
	exact  bool              // names that differ in case are two
	folded map[string]string // once there are many: the names by what they have in common
}

// fewNames is how many are compared one by one.
const fewNames = 32

// find returns the name in the list that is the same as key.
func (n *names) find(list []Member, key string) (string, bool) {
	if len(list) < fewNames {
		for i := range list {
			if have := list[i].Name; have == key || !n.exact && strings.EqualFold(have, key) {
				return have, true
			}
		}
		return "", false
	}
	if n.folded == nil {
		n.folded = make(map[string]string, 2*len(list))
		for i := range list {
			n.folded[n.common(list[i].Name)] = list[i].Name
		}
	}
	common := n.common(key)
	twin, again := n.folded[common]
	n.folded[common] = key
	return twin, again
}

// common gives the same text for names that are the same by strings.EqualFold.
func (n *names) common(name string) string {
	if n.exact {
		return name
	}
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}
