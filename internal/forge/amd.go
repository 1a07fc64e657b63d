package forge

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Product is a line of AMD processors with keys of its own.
type Product string

// The products of AMD that the forge knows; the zero value of [SNP] is Milan.
const (
	Milan Product = "Milan"
	Genoa Product = "Genoa"
	Turin Product = "Turin"
)

// Products lists the known products.
func Products() []Product { return []Product{Milan, Genoa, Turin} }

// Vendors of hardware: the one that [Evidence.Trust] names, and one that nobody
// trusts.
const (
	ForgeVendor   = ""
	ForeignVendor = "foreign"
)

func vendorName(vendor string) string {
	if vendor == ForgeVendor {
		return "forge"
	}
	return vendor
}

// AMD is the hierarchy of one product: certificates with AMD's names and AMD's
// form, under keys that are not AMD's (AMD 57230). It is the same under every
// seed.
type AMD struct {
	Product Product
	ARK     *x509.Certificate // signs itself
	ASK     *x509.Certificate // issues VCEKs
	ASVK    *x509.Certificate // issues VLEKs
	keys    [3]crypto.Signer  // of ARK, ASK and ASVK
}

// amdCache keeps the hierarchies of a process. They are constants that take
// 50 ms each to compute.
var amdCache struct {
	sync.Mutex
	made map[string]*AMD
}

// NewAMD makes the hierarchy of a vendor and a product.
func NewAMD(vendor string, product Product) (*AMD, error) {
	name := vendorName(vendor) + " " + string(product)
	amdCache.Lock()
	defer amdCache.Unlock()
	if a := amdCache.made[name]; a != nil {
		return a, nil
	}
	a, err := makeAMD(vendorName(vendor), product)
	if err != nil {
		return nil, fmt.Errorf("making the AMD hierarchy %q: %w", name, err)
	}
	if amdCache.made == nil {
		amdCache.made = map[string]*AMD{}
	}
	amdCache.made[name] = a
	return a, nil
}

func makeAMD(vendor string, product Product) (*AMD, error) {
	a := &AMD{Product: product}
	made := [3]*x509.Certificate{}
	for i, role := range []struct {
		name   string
		serial int64
	}{{"ARK-", 0x10000}, {"SEV-", 0x10001}, {"SEV-VLEK-", 0x10101}} {
		name := role.name + string(product)
		key, err := amdKey(vendor + " " + name)
		if err != nil {
			return nil, err
		}
		a.keys[i] = key
		template := amdAuthority(name, role.serial)
		parent := made[0]
		if parent == nil {
			parent = template
		}
		if made[i], err = certify(template, parent, key.Public(), a.keys[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	a.ARK, a.ASK, a.ASVK = made[0], made[1], made[2]
	return a, nil
}

// amdSince and amdUntil bound the hierarchy; UTCTime ends with 2049.
func amdSince() time.Time { return time.Date(2020, time.October, 22, 0, 0, 0, 0, time.UTC) }
func amdUntil() time.Time { return time.Date(2049, time.December, 31, 23, 59, 59, 0, time.UTC) }

func amdSubject(name string) pkix.Name {
	return pkix.Name{
		Country: []string{"US"}, Province: []string{"CA"}, Locality: []string{"Santa Clara"},
		Organization: []string{"Advanced Micro Devices"}, OrganizationalUnit: []string{"Engineering"}, CommonName: name,
	}
}

func amdAuthority(name string, number int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: amdSubject(name),
		NotBefore: amdSince(), NotAfter: amdUntil(),
		SignatureAlgorithm: x509.SHA384WithRSAPSS, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// CRL makes the revocation list of the ARK, in DER, for half a year from when it
// is issued. AMD lists serial numbers of ASKs and ASVKs.
func (a *AMD) CRL(issued time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	list := &x509.RevocationList{
		Number: big.NewInt(1), SignatureAlgorithm: x509.SHA384WithRSAPSS,
		ThisUpdate: issued, NextUpdate: issued.AddDate(0, 6, 0),
	}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: issued.AddDate(0, -1, 0),
		})
	}
	der, err := x509.CreateRevocationList(nil, list, a.ARK, a.keys[0])
	if err != nil {
		return nil, fmt.Errorf("making the revocation list of %s: %w", a.Product, err)
	}
	return der, nil
}

// issuer returns the ASK, or for a VLEK the ASVK, with its key.
func (a *AMD) issuer(key SigningKey) (*x509.Certificate, crypto.Signer) {
	if key == VLEK {
		return a.ASVK, a.keys[2]
	}
	return a.ASK, a.keys[1]
}
