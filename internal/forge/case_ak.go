package forge

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/google/go-tpm-tools/proto/attest"
	"github.com/google/go-tpm/tpm2"
)

// akCases: the key must be one that signs nothing but what its TPM made, and
// strong enough to believe it.
func akCases() []Case {
	cases := []Case{
		{Name: "nobody_vouches", Check: "tpm.ak.chain", edit: sending(func(a *attest.Attestation) {
			a.AkCert, a.IntermediateCerts, a.InstanceInfo = nil, nil, nil
		})},
		weakKey("pinned_rsa_1024", RSA1024),
		weakKey("pinned_rsa_exponent_3", RSA2048e3),
		weakKey("pinned_p224", P224),
		{Name: "certified_point_off_curve", Check: "tpm.ak.match", machine: Machine{AK: P256}, edit: offCurve},
		{
			Name: "pinned_policy_key", Want: "accepted: userWithAuth clear means that a policy authorizes the key",
			machine: Machine{NoCertificate: true}, edit: attribute(func(o *tpm2.TPMAObject) { o.UserWithAuth = false }),
		},
	}
	for _, a := range []struct {
		name string
		edit func(*tpm2.TPMAObject)
	}{
		{"without_fixed_tpm", func(o *tpm2.TPMAObject) { o.FixedTPM = false }},
		{"without_fixed_parent", func(o *tpm2.TPMAObject) { o.FixedParent = false }},
		{"without_sensitive_data_origin", func(o *tpm2.TPMAObject) { o.SensitiveDataOrigin = false }},
		{"without_restricted", func(o *tpm2.TPMAObject) { o.Restricted = false }},
		{"without_sign", func(o *tpm2.TPMAObject) { o.SignEncrypt = false }},
		{"with_decrypt", func(o *tpm2.TPMAObject) { o.Decrypt = true }},
	} {
		cases = append(cases,
			Case{Name: "pinned_" + a.name, machine: Machine{NoCertificate: true}, edit: attribute(a.edit)},
			Case{Name: "certified_" + a.name, edit: attribute(a.edit)})
	}
	return inRow(19, "software_ak", "tpm.ak.attributes", cases...)
}

func weakKey(name string, t KeyType) Case {
	return Case{Name: name, machine: Machine{NoCertificate: true}, edit: func(m *Machine) { m.AK = t }}
}

func attribute(edit func(*tpm2.TPMAObject)) func(*Machine) {
	return func(m *Machine) {
		m.Edits.AK = func(a *AK) error { edit(&a.Public.ObjectAttributes); return nil }
	}
}

// offCurve moves the point of the public area by one in Y.
func offCurve(m *Machine) {
	m.Edits.AK = func(a *AK) error {
		point, err := a.Public.Unique.ECC()
		if err != nil {
			return err
		}
		point.Y.Buffer[len(point.Y.Buffer)-1] ^= 1
		return nil
	}
}

// certificateCases: the certificate must be an attestation key's, of a
// production machine, valid now, and for this key.
func certificateCases(keys *Keys) []Case {
	return inRow(20, "ak_cert_matrix", "tpm.ak.profile", append(profileCases(), chainCases(keys)...)...)
}

func profileCases() []Case {
	const weak = "tpm.ak.attributes"
	purpose := func(last int) func(*x509.Certificate) { // tcg-kp of TCG EK Credential Profile 2.5, A
		return func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, last}}
		}
	}
	return []Case{
		{Name: "server_auth", edit: certifying(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		{Name: "ek_key_usage", edit: certifying(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		{Name: "no_key_usage", edit: certifying(func(c *x509.Certificate) { c.KeyUsage = 0 })},
		{Name: "ca_true", edit: certifying(func(c *x509.Certificate) { c.IsCA = true })},
		{Name: "non_production", edit: func(m *Machine) { m.Instance.NonProduction = true }},
		{Name: "negative_instance_id", edit: func(m *Machine) { m.Instance = m.Instance.orDefault(); m.Instance.ID = -1 }},
		{Name: "no_instance", edit: certifying(func(c *x509.Certificate) { c.ExtraExtensions = nil })},
		{Name: "trailing_bytes_in_instance", edit: certifying(func(c *x509.Certificate) {
			c.ExtraExtensions[0].Value = append(c.ExtraExtensions[0].Value, 5, 0)
		})},
		{Name: "rsa_1024", Check: weak, edit: func(m *Machine) { m.AK = RSA1024 }},
		{Name: "p224", Check: weak, edit: func(m *Machine) { m.AK = P224 }},
		{Name: "tcg_ek_purpose", Want: "accepted: Google's own certificates name 2.23.133.8.1", edit: certifying(purpose(1))},
		{Name: "tcg_aik_purpose", Want: "accepted: 2.23.133.8.3 is the purpose of an attestation key", edit: certifying(purpose(3))},
	}
}

func chainCases(keys *Keys) []Case {
	critical := func(value []byte, id ...int) func(*Machine) {
		return certifying(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: true, Value: value})
		})
	}
	foreign := func(e *Evidence) error {
		ca, err := NewCA(keys, "stranger")
		if err == nil {
			e.Root = ca.Root
		}
		return err
	}
	const chain = "tpm.ak.chain"
	return []Case{
		{Name: "expired", Check: chain, edit: certifying(func(c *x509.Certificate) { c.NotAfter = Now().AddDate(0, 0, -1) })},
		{Name: "not_yet_valid", Check: chain, edit: certifying(func(c *x509.Certificate) { c.NotBefore = Now().AddDate(0, 0, 1) })},
		{Name: "foreign_root", Check: chain, trust: foreign},
		{Name: "no_intermediate", Check: chain, edit: sending(func(a *attest.Attestation) { a.IntermediateCerts = nil })},
		{Name: "unknown_critical_extension", Check: chain, edit: critical([]byte{5, 0}, 1, 3, 6, 1, 4, 1, 99999, 1)},
		{Name: "empty_critical_san", Check: chain, edit: critical([]byte{0x30, 0}, 2, 5, 29, 17)},
		{
			Name: "directory_name_in_critical_san", Want: "accepted: certificates of Google's first CA have one",
			edit: func(m *Machine) { m.Edits.Certificate = addDirectoryName },
		},
		{Name: "other_key", Check: "tpm.ak.match", machine: Machine{AK: P256}, edit: func(m *Machine) {
			m.Edits.Attestation = func(a *attest.Attestation) error { return showOtherKey(keys, a) }
		}},
	}
}

// addDirectoryName adds a critical SubjectAltName whose only name is a
// directory name with a TPM manufacturer (TCG EK Credential Profile 2.5, 3.2.9).
func addDirectoryName(c *x509.Certificate) error {
	name := pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 23, 133, 2, 1}, Value: "id:474F4F47"},
	}}
	value, err := asn1.Marshal(struct {
		Directory pkix.RDNSequence `asn1:"explicit,tag:4"`
	}{name.ToRDNSequence()})
	san := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: value}
	c.ExtraExtensions = append(c.ExtraExtensions, san)
	return err
}

// showOtherKey puts another key into the ak_pub field. The certificate's key
// still verifies every quote.
func showOtherKey(keys *Keys, a *attest.Attestation) error {
	other, err := keys.Key("other ak", P256)
	if err != nil {
		return err
	}
	public, err := publicArea(other.Public(), SHA256)
	if err != nil {
		return err
	}
	a.AkPub = tpm2.Marshal(public)
	return nil
}
