package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"
)

// Public is a TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4) of an RSA or ECC key.
type Public struct {
	Type       Alg
	NameAlg    Alg
	Attributes Attributes
	AuthPolicy []byte
	Symmetric  Symmetric // TPMT_SYM_DEF_OBJECT, null for a signing key
	Scheme     Scheme    // TPMT_RSA_SCHEME or TPMT_ECC_SCHEME
	RSA        RSAParams // when Type is AlgRSA
	ECC        ECCParams // when Type is AlgECC
}

// Symmetric is a TPMT_SYM_DEF_OBJECT (TPM 2.0 Part 2, 11.1.7).
type Symmetric struct {
	Alg     Alg
	KeyBits uint16
	Mode    Alg
}

// Scheme is an asymmetric scheme with its hash (TPM 2.0 Part 2, 11.2.3.5).
type Scheme struct {
	Alg  Alg
	Hash Alg
}

// RSAParams is what a TPMT_PUBLIC says of an RSA key. Exponent 0 means 65537
// (TPM 2.0 Part 2, 12.2.3.5).
type RSAParams struct {
	KeyBits  uint16
	Exponent uint32
	Modulus  []byte
}

// ECCParams is what a TPMT_PUBLIC says of an ECC key (TPM 2.0 Part 2, 12.2.3.6).
type ECCParams struct {
	Curve uint16 // TPM_ECC_CURVE
	KDF   Scheme
	X, Y  []byte
}

const maxAuthPolicy = 64

// ParsePublic decodes a TPMT_PUBLIC. Key types other than RSA and ECC and
// trailing bytes are errors. The result shares memory with b.
func ParsePublic(b []byte) (*Public, error) {
	r := newReader(b)
	p := &Public{Type: r.alg(), NameAlg: r.alg(), Attributes: Attributes(r.U32())}
	p.AuthPolicy = r.sized("authPolicy")
	if len(p.AuthPolicy) > maxAuthPolicy {
		r.Fail("authPolicy of %d bytes", len(p.AuthPolicy))
	}
	switch p.Type { //nolint:exhaustive // every other key type is refused
	case AlgRSA:
		p.Symmetric, p.Scheme = r.symmetric(), r.scheme()
		p.RSA = RSAParams{KeyBits: r.U16(), Exponent: r.U32(), Modulus: r.sized("modulus")}
	case AlgECC:
		p.Symmetric, p.Scheme = r.symmetric(), r.scheme()
		p.ECC = ECCParams{Curve: r.U16(), KDF: r.scheme(), X: r.sized("x"), Y: r.sized("y")}
	default:
		r.Fail("key type %v, want rsa or ecc", p.Type)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("TPMT_PUBLIC: %w", err)
	}
	return p, nil
}

// ParseSizedPublic decodes a TPM2B_PUBLIC, the file form of tpm2-tools: a
// TPMT_PUBLIC behind its 16-bit length.
func ParseSizedPublic(b []byte) (*Public, error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) != len(b)-2 {
		return nil, fmt.Errorf("TPM2B_PUBLIC: size field does not match the %d bytes", len(b))
	}
	return ParsePublic(b[2:])
}

func (r *reader) symmetric() Symmetric {
	s := Symmetric{Alg: r.alg()}
	if s.Alg != AlgNull {
		s.KeyBits, s.Mode = r.U16(), r.alg()
	}
	return s
}

// scheme reads an algorithm and, unless it is null, the hash that every
// scheme of a signing key has.
func (r *reader) scheme() Scheme {
	s := Scheme{Alg: r.alg()}
	if s.Alg != AlgNull {
		s.Hash = r.alg()
	}
	return s
}

// Append appends the encoding of p to b.
func (p *Public) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(p.Type))
	b = binary.BigEndian.AppendUint16(b, uint16(p.NameAlg))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Attributes))
	b = appendSized(b, p.AuthPolicy)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Symmetric.Alg))
	if p.Symmetric.Alg != AlgNull {
		b = binary.BigEndian.AppendUint16(b, p.Symmetric.KeyBits)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Symmetric.Mode))
	}
	b = p.Scheme.append(b)
	if p.Type == AlgRSA {
		b = binary.BigEndian.AppendUint16(b, p.RSA.KeyBits)
		b = binary.BigEndian.AppendUint32(b, p.RSA.Exponent)
		return appendSized(b, p.RSA.Modulus)
	}
	b = binary.BigEndian.AppendUint16(b, p.ECC.Curve)
	b = p.ECC.KDF.append(b)
	return appendSized(appendSized(b, p.ECC.X), p.ECC.Y)
}

func (s Scheme) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.Alg))
	if s.Alg != AlgNull {
		b = binary.BigEndian.AppendUint16(b, uint16(s.Hash))
	}
	return b
}

// Key returns the key as crypto/rsa or crypto/ecdsa know it. A point that is
// not on its curve, an unknown curve and a modulus whose length differs from
// keyBits are errors; whether the key is strong enough is the caller's matter.
func (p *Public) Key() (crypto.PublicKey, error) {
	if p.Type == AlgRSA {
		return p.RSA.key()
	}
	return p.ECC.key()
}

func (p RSAParams) key() (*rsa.PublicKey, error) {
	n := new(big.Int).SetBytes(p.Modulus)
	if n.BitLen() != int(p.KeyBits) {
		return nil, fmt.Errorf("modulus has %d bits, keyBits says %d", n.BitLen(), p.KeyBits)
	}
	e := p.Exponent
	if e == 0 {
		e = 65537
	}
	if e > 1<<31-1 {
		return nil, fmt.Errorf("exponent %d is too large", e)
	}
	return &rsa.PublicKey{N: n, E: int(e)}, nil
}

// The TPM_ECC_CURVE values of the curves that keys may be on.
const (
	curveP256 = 0x0003
	curveP384 = 0x0004
)

// curves are the TPM_ECC_CURVE values crypto/ecdsa has (TCG Algorithm
// Registry, table 4).
func curveOf(id uint16) elliptic.Curve {
	switch id {
	case 0x0002:
		return elliptic.P224()
	case curveP256:
		return elliptic.P256()
	case curveP384:
		return elliptic.P384()
	case 0x0005:
		return elliptic.P521()
	default:
		return nil
	}
}

func (p ECCParams) key() (*ecdsa.PublicKey, error) {
	curve := curveOf(p.Curve)
	if curve == nil {
		return nil, fmt.Errorf("unknown curve 0x%04x", p.Curve)
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(p.X) != size || len(p.Y) != size {
		return nil, fmt.Errorf("coordinates of %d and %d bytes, want %d", len(p.X), len(p.Y), size)
	}
	point := append(append([]byte{4}, p.X...), p.Y...)
	return ecdsa.ParseUncompressedPublicKey(curve, point)
}

// Name returns the object's Name, nameAlg || H(TPMT_PUBLIC) (TPM 2.0 Part 1,
// 16), or nil where nameAlg is not a digest this package computes.
func (p *Public) Name() []byte {
	h := p.NameAlg.Hash()
	if h == 0 {
		return nil
	}
	d := h.New()
	d.Write(p.Append(nil))
	return d.Sum(binary.BigEndian.AppendUint16(nil, uint16(p.NameAlg)))
}

// hierarchies are the handles under which a primary key can live: owner,
// endorsement, platform, null (TPM 2.0 Part 2, 7.4).
var hierarchies = [...]uint32{0x40000001, 0x4000000B, 0x4000000C, 0x40000007}

// IsPrimaryWith reports whether qualifiedSigner is the qualified name that p
// has as a primary key of one of the hierarchies (TPM 2.0 Part 1, 16.5). It is
// false for a key below a parent, whose name would have to be known.
func (p *Public) IsPrimaryWith(qualifiedSigner []byte) bool {
	name := p.Name()
	if name == nil {
		return false
	}
	for _, handle := range hierarchies {
		d := p.NameAlg.Hash().New()
		d.Write(binary.BigEndian.AppendUint32(nil, handle))
		d.Write(name)
		if string(d.Sum(binary.BigEndian.AppendUint16(nil, uint16(p.NameAlg)))) == string(qualifiedSigner) {
			return true
		}
	}
	return false
}
