package replay

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // SHA-1 PCR banks exist; policy decides what they are worth
	"crypto/sha256"
	"crypto/sha512"

	"github.com/attestctl/attestctl/evidence/tpm"
)

const (
	sha1Size  = sha1.Size
	maxDigest = sha512.Size
)

// digest holds a digest of any bank without an allocation.
type digest struct {
	buf [maxDigest]byte
	n   int
}

func (d *digest) bytes() []byte { return d.buf[:d.n] }

// sum returns H(data), or an empty digest if alg is not a bank attestctl can
// compute.
func sum(alg tpm.Alg, data []byte) digest {
	var d digest
	switch alg { //nolint:exhaustive // every other algorithm is not a digest
	case tpm.AlgSHA1:
		s := sha1.Sum(data) //nolint:gosec // see the import
		d.n = copy(d.buf[:], s[:])
	case tpm.AlgSHA256:
		s := sha256.Sum256(data)
		d.n = copy(d.buf[:], s[:])
	case tpm.AlgSHA384:
		s := sha512.Sum384(data)
		d.n = copy(d.buf[:], s[:])
	case tpm.AlgSHA512:
		s := sha512.Sum512(data)
		d.n = copy(d.buf[:], s[:])
	default: // stays empty and equals no digest
	}
	return d
}

// extend is TPM2_PCR_Extend: new = H(old || digest) (TPM 2.0 Part 3, 22.2).
func (d *digest) extend(alg tpm.Alg, event []byte) {
	var buf [2 * maxDigest]byte
	n := copy(buf[:], d.bytes())
	n += copy(buf[n:], event)
	*d = sum(alg, buf[:n])
}

// hashes reports whether want is H(data). An empty want is the hash of nothing.
func hashes(alg tpm.Alg, data, want []byte) bool {
	d := sum(alg, data)
	return d.n != 0 && bytes.Equal(d.bytes(), want)
}
