package main

import (
	"github.com/spf13/cobra"
)

func newTrust(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "trust",
		Short: "List, check or export trust material",
		Long: `Trust shows whose signatures count. A trust directory holds one certificate, key
or list a file, in PEM or DER, and the folder says what it is for:

  ak/roots          roots of the authorities that certify attestation keys
  ak/intermediates  certificates between those and the attestation keys
  ak/pins           attestation keys that are trusted by themselves
  ek/roots          roots of the authorities that certify endorsement keys
  ek/intermediates  certificates between those and the endorsement keys
  ek/pins           endorsement keys that are trusted by themselves
  amd/roots         AMD's ARK, ASK and ASVK certificates
  amd/keys          VCEK and VLEK certificates, for reports that come without one
  amd/crls          AMD's revocation lists
  intel/roots       the Intel SGX Root CA
  intel/collateral  Intel's collateral: tcbinfo/*.json, qe_identity.json,
                    tcb_sign_chain.pem, pck_crl_platform.der,
                    pck_crl_processor.der, root_ca.crl

Roots and pins are trusted, and a directory has at least one of them. All else is
verified with them before it counts.`,
		Example: `  attestctl trust list
  attestctl trust check anchors/ --max-age 30d
  attestctl trust export anchors/`,
	})
	c.AddCommand(newTrustList(sys), newTrustCheck(sys), newTrustExport(sys))
	return c
}
