package replay

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/attestctl/attestctl/evidence/tpm"
)

// maxAlgs bounds the digests of an event: the algorithms of the TCG registry
// that a PCR bank can have today.
const maxAlgs = 8

// specIDSignature starts the header of a crypto-agile log (PFP 1.06, 10.4.5.1).
var specIDSignature = []byte("Spec ID Event03\x00")

// bank is a digest algorithm of the log.
type bank struct {
	alg  tpm.Alg
	size int
}

// parseSpecID decodes TCG_EfiSpecIdEvent. Nothing in it is measured, so every
// field must have a value that a published version of the specification gives
// it.
func parseSpecID(data []byte) ([]bank, error) {
	c := cursor{buf: data}
	c.take(uint64(len(specIDSignature)), "signature")
	class := c.u32("platform class")
	minor, major := c.u8("minor version"), c.u8("major version")
	errata, uintn := c.u8("errata"), c.u8("uintn size")
	n := c.u32("number of algorithms")
	switch {
	case c.err != nil:
		return nil, c.err
	case class > 1:
		return nil, fmt.Errorf("platform class is %d, not 0 (client) or 1 (server)", class)
	case major != 2 || minor != 0:
		return nil, fmt.Errorf("version is %d.%d, not 2.0", major, minor)
	case !slices.Contains([]uint8{0, 105, 106}, errata):
		return nil, fmt.Errorf("errata is %d, not 0, 105 or 106", errata)
	case uintn != 1 && uintn != 2:
		return nil, fmt.Errorf("uintn size is %d, not 1 or 2", uintn)
	case n == 0 || n > maxAlgs:
		return nil, fmt.Errorf("%d algorithms, not 1 to %d", n, maxAlgs)
	}
	banks, err := parseBanks(&c, int(n))
	if err != nil {
		return nil, err
	}
	c.take(uint64(c.u8("vendor info size")), "vendor info")
	c.end("header")
	return banks, c.err
}

func parseBanks(c *cursor, n int) ([]bank, error) {
	banks := make([]bank, 0, n)
	for range n {
		alg, size := tpm.Alg(c.u16("algorithm")), int(c.u16("digest size"))
		if c.err != nil {
			return nil, c.err
		}
		for _, b := range banks {
			if b.alg == alg {
				return nil, fmt.Errorf("algorithm %v is listed twice", alg)
			}
		}
		if want := alg.Size(); want != 0 && size != want || size < 1 || size > maxDigest {
			return nil, fmt.Errorf("digest size of %v is %d", alg, size)
		}
		banks = append(banks, bank{alg: alg, size: size})
	}
	return banks, nil
}

// isSpecID reports whether the first event of a log is the header of the
// crypto-agile form: an unmeasured event of PCR 0 or, in a CCEL, of register 1.
// A log without it is a SHA-1 log.
func isSpecID(pcr uint32, kind EventType, data []byte) bool {
	return pcr <= 1 && kind == evNoAction && bytes.HasPrefix(data, specIDSignature)
}
