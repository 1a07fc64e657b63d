package forge

import (
	"math/big"
	"testing"
)

// A wrong gap would give a key that is weak or signs now and then. That no prime
// lies before the gap is looked up where the gaps are small.
func TestAMDGaps(t *testing.T) {
	t.Parallel()
	for name, gaps := range amdGaps {
		for i, gap := range gaps {
			p := amdPrime(name, i)
			if !p.ProbablyPrime(0) {
				t.Errorf("%s: gap %d leads to no prime", name, i)
			}
			if name != "foreign ARK-Milan" { // its gaps are small
				continue
			}
			searched := rsaPrime(amdStream(name, i), amdKeyBits/2, big.NewInt(65537))
			if searched.Cmp(p) != 0 {
				t.Errorf("%s: gap %d is %d, a search finds another prime", name, i, gap)
			}
		}
	}
}
