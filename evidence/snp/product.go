package snp

import (
	"fmt"
	"strings"
)

// Product is a line of processors with keys of its own: an ARK, an ASK and an
// ASVK (AMD 57230). Its zero value is no product.
type Product string

// The products whose keys and TCB layout are known here. Bergamo and Siena are
// Genoa: their VCEKs are issued under it.
const (
	Milan Product = "Milan"
	Genoa Product = "Genoa"
	Turin Product = "Turin"
)

// ProductOf returns the product of a processor by its CPUID family and model,
// extended parts added, as a report of version 3 or later has them. AMD gives
// sixteen models to a kind of processor. False means none of the known ones.
func ProductOf(family, model uint8) (Product, bool) {
	switch kind := model >> 4; {
	case family == 0x19 && kind == 0x0:
		return Milan, true
	case family == 0x19 && (kind == 0x1 || kind == 0xA): // 0xA: Bergamo, Siena
		return Genoa, true
	case family == 0x1A && kind <= 0x1: // 0x1: Turin Dense
		return Turin, true
	default:
		return "", false
	}
}

// Product returns the product that made the report. A report of version 2 does
// not say, and a processor may be unknown: both give false. The product of the
// verified certificate then is all there is.
func (r *Report) Product() (Product, bool) {
	if !r.HasCPUID() {
		return "", false
	}
	return ProductOf(r.CPUID.Family, r.CPUID.Model)
}

func (p Product) known() bool { return p == Milan || p == Genoa || p == Turin }

// productNamed returns the product of a certificate's productName, "Milan" or
// with a stepping "Milan-B0" (AMD 57230, VCEK certificate extensions).
func productNamed(name string) (Product, error) {
	line, stepping, cut := strings.Cut(name, "-")
	p := Product(line)
	if !p.known() || cut && !isStepping(stepping) {
		return "", fmt.Errorf("product name %q, want Milan, Genoa or Turin, or one with a stepping such as Milan-B0", name)
	}
	return p, nil
}

func isStepping(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= '0' && s[1] <= '9'
}

// hwidSize is the number of bytes of CHIP_ID that identify a chip. The rest is
// zero, and a VCEK names only these (AMD 57230, hwID).
func (p Product) hwidSize() int {
	if p == Turin {
		return 8
	}
	return 64
}
