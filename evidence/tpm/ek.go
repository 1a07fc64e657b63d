package tpm

import (
	"errors"
	"fmt"
	"strings"
)

const (
	needEK = Restricted | Decrypt | FixedTPM | FixedParent | AdminWithPolicy
	denyEK = Sign | X509Sign

	idAES, idCFB = 0x0006, 0x0043 // TPM_ALG_ID
)

// CheckEK requires the public area to be that of an endorsement key: a restricted
// decryption key that cannot leave its TPM, of RSA with 2048 to 4096 bits and the
// default exponent, or on P-256 or P-384, with AES in CFB mode for what it
// protects (TCG EK Credential Profile 2.5, appendix B; TPM 2.0 Part 2, 12.2.3.5 and
// 12.2.3.6). What a public area says is its sender's word: that the key is one of a
// TPM is to be proven otherwise.
func (p *Public) CheckEK() error {
	if missing := needEK &^ p.Attributes; missing != 0 {
		return fmt.Errorf("the key lacks %s, which an endorsement key has", strings.Join(missing.Names(), ", "))
	}
	if extra := denyEK & p.Attributes; extra != 0 {
		return fmt.Errorf("the key has %s, an endorsement key only decrypts", strings.Join(extra.Names(), ", "))
	}
	switch s := p.Symmetric; {
	case p.NameAlg != AlgSHA256 && p.NameAlg != AlgSHA384:
		return fmt.Errorf("nameAlg is %v, want sha256 or sha384", p.NameAlg)
	case s.Alg != idAES || s.Mode != idCFB || s.KeyBits != 128 && s.KeyBits != 256:
		return fmt.Errorf("it protects with %v, %d bits, mode %v, want AES with 128 or 256 bits in mode CFB", s.Alg, s.KeyBits, s.Mode)
	case p.Scheme.Alg != AlgNull:
		return fmt.Errorf("scheme is %v, want null", p.Scheme.Alg)
	}
	if err := p.checkEKKey(); err != nil {
		return err
	}
	_, err := p.Key()
	return err
}

// checkEKKey judges the strength, before any arithmetic with the key.
func (p *Public) checkEKKey() error {
	switch p.Type { //nolint:exhaustive // ParsePublic knows no other key type
	case AlgRSA:
		return p.RSA.checkEK()
	case AlgECC:
		return p.ECC.checkEK()
	default:
		return fmt.Errorf("key type %v, want rsa or ecc", p.Type)
	}
}

func (p RSAParams) checkEK() error {
	const minBits, maxBits = 2048, 4096
	switch {
	case p.KeyBits < minBits || p.KeyBits > maxBits:
		return fmt.Errorf("RSA key of %d bits, want %d to %d", p.KeyBits, minBits, maxBits)
	case p.Exponent != 0 && p.Exponent != 65537:
		return fmt.Errorf("RSA exponent %d, want 65537", p.Exponent)
	case len(p.Modulus)*8 != int(p.KeyBits) || p.Modulus[len(p.Modulus)-1]&1 == 0:
		return errors.New("the RSA modulus is even, or of another size than keyBits says")
	}
	return nil
}

func (p ECCParams) checkEK() error {
	switch {
	case p.Curve != curveP256 && p.Curve != curveP384:
		return fmt.Errorf("curve 0x%04x, want P-256 or P-384", p.Curve)
	case p.KDF.Alg != AlgNull:
		return fmt.Errorf("kdf is %v, want null", p.KDF.Alg)
	}
	return nil
}
