package forge

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strconv"
)

// Instance is the GCE identity in an attestation key certificate. The zero
// value stands for a production instance of a made-up project.
type Instance struct {
	Zone          string
	ProjectID     string
	Name          string
	ProjectNumber int64
	ID            int64
	// NonProduction clears isProduction in the security properties.
	NonProduction bool
}

// DefaultInstance returns the instance that the zero value stands for.
func DefaultInstance() Instance {
	return Instance{
		Zone: "europe-west4-b", ProjectID: "attestctl-forge", Name: "forged-vm",
		ProjectNumber: 424242424242, ID: 6797026933021542085,
	}
}

func (i Instance) orDefault() Instance {
	if i.ProjectID != "" {
		return i
	}
	d := DefaultInstance()
	d.NonProduction = i.NonProduction
	return d
}

// purpose names what is of one instance alone: its attestation key and the
// serial number of its certificate. Those of the default instance have no name.
func (i Instance) purpose(of string) string {
	d := DefaultInstance()
	if i = i.orDefault(); i.ProjectID == d.ProjectID && i.Zone == d.Zone && i.Name == d.Name {
		return of
	}
	return of + " " + i.ProjectID + " " + i.Zone + " " + i.Name
}

// InstanceOID returns the identifier of the GCE instance information
// extension: iso.org.dod.internet.private.enterprise.google(11129).2.1.21.
func InstanceOID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 1, 21}
}

// securityProperties has, besides the two named fields, three booleans
// that Google's certificates carry and nobody documents.
type securityProperties struct {
	SecurityVersion int  `asn1:"explicit,tag:0"`
	IsProduction    bool `asn1:"explicit,tag:1"`
	Property2       bool `asn1:"explicit,tag:2"`
	Property3       bool `asn1:"explicit,tag:3"`
	Property4       bool `asn1:"explicit,tag:4"`
	Property5       bool `asn1:"explicit,tag:5"`
}

type instanceInfo struct {
	Zone          string `asn1:"utf8"`
	ProjectNumber int64
	ProjectID     string `asn1:"utf8"`
	InstanceID    int64
	InstanceName  string             `asn1:"utf8"`
	Security      securityProperties `asn1:"explicit,tag:0"`
}

// DER encodes the value of the instance information extension.
func (i Instance) DER() ([]byte, error) {
	i = i.orDefault()
	return asn1.Marshal(instanceInfo{
		Zone: i.Zone, ProjectNumber: i.ProjectNumber, ProjectID: i.ProjectID,
		InstanceID: i.ID, InstanceName: i.Name,
		Security: securityProperties{IsProduction: !i.NonProduction, Property2: true},
	})
}

// akTemplate is the certificate that Google's private CA issues for an
// attestation key: digitalSignature, not a CA, no extended key usage.
func akTemplate(keys *Keys, instance Instance) (*x509.Certificate, error) {
	instance = instance.orDefault()
	info, err := instance.DER()
	if err != nil {
		return nil, fmt.Errorf("encoding the instance information: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial(keys, instance.purpose("ak certificate")),
		Subject: pkix.Name{
			Locality:           []string{instance.Zone},
			Organization:       []string{"Google Compute Engine"},
			OrganizationalUnit: []string{instance.ProjectID},
			CommonName:         strconv.FormatInt(instance.ID, 10),
		},
		NotBefore:             Now().AddDate(-1, 0, 0),
		NotAfter:              Now().AddDate(29, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{{Id: InstanceOID(), Value: info}},
	}, nil
}
