package forge

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
)

// secureBootVariables are the five variables that PFP 1.06, 3.3.4.8 has the
// firmware measure into PCR 7 before the separator.
func (b Boot) secureBootVariables(keys *Keys) ([]Event, error) {
	if b.SecureBoot == SecureBootAbsent {
		return nil, nil
	}
	state := byte(1)
	if b.SecureBoot == SecureBootOff {
		state = 0
	}
	platform := "platform key"
	if b.OwnerPK {
		platform = "machine owner"
	}
	pk, err := firmwareCertificate(keys, platform)
	if err != nil {
		return nil, err
	}
	kek, err := firmwareCertificate(keys, "key exchange key")
	if err != nil {
		return nil, err
	}
	db, err := b.db(keys)
	if err != nil {
		return nil, err
	}
	return []Event{
		variableEvent(GlobalVariable(), "SecureBoot", []byte{state}),
		variableEvent(GlobalVariable(), "PK", CertificateList(pk.Raw)),
		variableEvent(GlobalVariable(), "KEK", CertificateList(kek.Raw)),
		variableEvent(ImageSecurityDatabase(), "db", db),
		variableEvent(ImageSecurityDatabase(), "dbx", b.dbx(keys)),
	}, nil
}

func variableEvent(vendor GUID, name string, value []byte) Event {
	return Event{PCR: 7, Type: EvVariableConfig, Data: Variable(vendor, name, value)}
}

// isVariable tells whether an event is the configuration of a variable.
func isVariable(e Event, name string) bool {
	return e.Type == EvVariableConfig && len(e.Data) >= 32 && bytes.HasPrefix(e.Data[32:], ucs2(name)) &&
		int(e.Data[16]) == len(name)
}

func (b Boot) db(keys *Keys) ([]byte, error) {
	vendor, err := firmwareCertificate(keys, "image signer")
	if err != nil {
		return nil, err
	}
	lists := [][]byte{CertificateList(vendor.Raw)}
	if b.OwnerDB {
		own, err := firmwareCertificate(keys, "machine owner")
		if err != nil {
			return nil, err
		}
		lists = append(lists, CertificateList(own.Raw))
	}
	return slices.Concat(lists...), nil
}

func (b Boot) dbx(keys *Keys) []byte {
	if b.NoDBX {
		return nil
	}
	return HashList(keys.bytes("dbx 0", 32), keys.bytes("dbx 1", 32), keys.bytes("dbx 2", 32))
}

// authorities are the db entries that vouched for an image (PFP 1.06,
// 3.3.4.8): none unless Secure Boot is on.
func (b Boot) authorities(keys *Keys) ([]Event, error) {
	if b.SecureBoot != SecureBootOn {
		return nil, nil
	}
	signer, err := firmwareCertificate(keys, "image signer")
	if err != nil {
		return nil, err
	}
	value := signatureData(signer.Raw)
	return []Event{{PCR: 7, Type: EvVariableAuthority, Data: Variable(ImageSecurityDatabase(), "db", value)}}, nil
}

// firmwareCertificate makes a self-signed certificate for a UEFI key variable.
func firmwareCertificate(keys *Keys, name string) (*x509.Certificate, error) {
	key, err := keys.Key("uefi "+name, P256)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(keys, "uefi "+name),
		Subject:      pkix.Name{CommonName: "attestctl forge test " + name},
		NotBefore:    Now().AddDate(-10, 0, 0),
		NotAfter:     Now().AddDate(10, 0, 0),
	}
	return certify(template, template, key.Public(), key)
}
