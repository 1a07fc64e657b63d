package main

import "github.com/spf13/cobra"

func newToken(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "token",
		Short: "Fetch the keys that issuers sign attestation tokens with",
		Long: `Token keeps the keys of those who issue attestation tokens. Tokens are verified
offline, with key sets saved before; to save them is the one thing that needs
the network.`,
		Example: `  attestctl token fetch-keys --out anchors/`,
	})
	c.AddCommand(newFetchKeys(sys))
	return c
}
