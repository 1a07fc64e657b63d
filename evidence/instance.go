package evidence

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/attestctl/attestctl/internal/hint"
)

// oidInstance is the extension in which Google names the Compute Engine
// instance that an AK belongs to.
var oidInstance = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 1, 21}

// instance is the content of the extension:
//
//	SEQUENCE { zone UTF8String, projectNumber INTEGER, projectID UTF8String,
//	           instanceID INTEGER, instanceName UTF8String,
//	           [0] EXPLICIT SEQUENCE { [0] INTEGER securityVersion OPTIONAL,
//	                                   [1] BOOLEAN isProduction OPTIONAL,
//	                                   [2..5] BOOLEAN OPTIONAL } OPTIONAL }
type instance struct {
	zone, projectID, name string
	projectNumber, id     uint64
	securityVersion       *int64
	production            *bool
}

func isInstance(ext pkix.Extension) bool { return ext.Id.Equal(oidInstance) }

// instanceOf reads the instance extension of a certificate.
func instanceOf(cert *x509.Certificate) (*instance, error) {
	for _, ext := range cert.Extensions {
		if isInstance(ext) {
			in, err := parseInstance(ext.Value)
			if err != nil {
				return nil, fmt.Errorf("instance extension: %w", err)
			}
			return in, nil
		}
	}
	return nil, hint.New(errors.New("the certificate names no Compute Engine instance (extension 1.3.6.1.4.1.11129.2.1.21)"),
		"pin the key with --ak-pub where the machine is known by other means")
}

func parseInstance(der []byte) (*instance, error) {
	in := new(instance)
	s := cryptobyte.String(der)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, errors.New("not one SEQUENCE")
	}
	ok := readName(&seq, &in.zone) && readNumber(&seq, &in.projectNumber) && readName(&seq, &in.projectID) &&
		readNumber(&seq, &in.id) && readName(&seq, &in.name)
	if !ok {
		return nil, errors.New("zone, project or instance is malformed")
	}
	if err := in.readSecurity(&seq); err != nil {
		return nil, err
	}
	if !seq.Empty() {
		return nil, errors.New("trailing bytes")
	}
	return in, nil
}

// readSecurity reads the optional security properties. Booleans beyond
// isProduction are allowed and not interpreted.
func (in *instance) readSecurity(seq *cryptobyte.String) error {
	var wrapped, props cryptobyte.String
	var present bool
	if !seq.ReadOptionalASN1(&wrapped, &present, explicit(0)) {
		return errors.New("security properties are malformed")
	}
	if !present {
		return nil
	}
	if !wrapped.ReadASN1(&props, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return errors.New("security properties are not one SEQUENCE")
	}
	var value cryptobyte.String
	if !props.ReadOptionalASN1(&value, &present, explicit(0)) {
		return errors.New("securityVersion is malformed")
	}
	if present {
		in.securityVersion = new(int64)
		if !value.ReadASN1Integer(in.securityVersion) || !value.Empty() {
			return errors.New("securityVersion is not an INTEGER")
		}
	}
	for tag := uint8(1); tag <= 5; tag++ {
		if err := readFlag(&props, tag, &in.production); err != nil {
			return err
		}
	}
	if !props.Empty() {
		return errors.New("security properties have trailing bytes")
	}
	return nil
}

func readFlag(props *cryptobyte.String, tag uint8, production **bool) error {
	var value cryptobyte.String
	var present, flag bool
	if !props.ReadOptionalASN1(&value, &present, explicit(tag)) {
		return fmt.Errorf("security property %d is malformed", tag)
	}
	if !present {
		return nil
	}
	if !value.ReadASN1Boolean(&flag) || !value.Empty() {
		return fmt.Errorf("security property %d is not a BOOLEAN", tag)
	}
	if tag == 1 {
		*production = &flag
	}
	return nil
}

func explicit(tag uint8) cbasn1.Tag {
	return cbasn1.Tag(tag).ContextSpecific().Constructed()
}

// readName reads a name in the alphabet of Compute Engine's resource names
// (a project of a domain contains a dot and a colon), so that the instance URL
// made of it has one reading.
func readName(s *cryptobyte.String, name *string) bool {
	var b cryptobyte.String
	if !s.ReadASN1(&b, cbasn1.UTF8String) || len(b) == 0 || len(b) > 128 {
		return false
	}
	for _, c := range b {
		lower, digit := c >= 'a' && c <= 'z', c >= '0' && c <= '9'
		if !lower && !digit && c != '-' && c != '.' && c != ':' {
			return false
		}
	}
	*name = string(b)
	return true
}

func readNumber(s *cryptobyte.String, n *uint64) bool {
	i := new(big.Int)
	if !s.ReadASN1Integer(i) || i.Sign() <= 0 || !i.IsUint64() {
		return false
	}
	*n = i.Uint64()
	return true
}

// url is the instance in the spelling of Google's tokens.
func (in *instance) url() string {
	return "https://www.googleapis.com/compute/v1/projects/" + in.projectID + "/zones/" + in.zone + "/instances/" + in.name
}
