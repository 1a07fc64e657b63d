package forge

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
)

// TrustFiles are the files of a trust directory, by path, for everything this
// evidence rests on: the root of its AK, if it has one, where it has a hardware
// report those of [HardwareTrust], with collateral for its platform, and for a
// token the key set of its issuer or the root of its certificates.
func (e *Evidence) TrustFiles() map[string][]byte {
	files := map[string][]byte{}
	maps.Copy(files, e.hardwareTrust)
	maps.Copy(files, e.tokenTrust)
	if e.Root != nil {
		files["ak/roots/forge_test_root.pem"] = certificatePEM(e.Root)
	}
	return files
}

// HardwareTrust are the files of a trust directory for hardware reports: ARK,
// ASK and ASVK of each product below amd/roots, Intel's root below intel/roots,
// and below intel/collateral what Intel says of a platform that is up to date.
func HardwareTrust(keys *Keys) (map[string][]byte, error) { return hardwareTrust(keys, TDX{}) }

// hardwareTrust has the collateral of one platform. Whatever its vendor, only
// the forge's own is trusted.
func hardwareTrust(keys *Keys, platform TDX) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range Products() {
		a, err := NewAMD(ForgeVendor, p)
		if err != nil {
			return nil, err
		}
		for name, c := range map[string]*x509.Certificate{"ark": a.ARK, "ask": a.ASK, "asvk": a.ASVK} {
			files["amd/roots/"+name+"_"+string(p)+".crt"] = certificatePEM(c)
		}
	}
	in, err := NewIntel(keys, ForgeVendor)
	if err != nil {
		return nil, err
	}
	files["intel/roots/root.crt"] = certificatePEM(in.Root)
	platform.Vendor = ForgeVendor
	collateral, err := platform.Collateral(keys)
	if err != nil {
		return nil, err
	}
	for name, data := range collateral {
		files["intel/collateral/"+name] = data
	}
	return files, nil
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
