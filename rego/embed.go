// Package rego embeds the Rego policies that ship with attestctl and the
// library they share.
package rego

import (
	"embed"
	"slices"
)

// FS holds a folder for each policy that Names lists, with its modules, tests,
// README.md and an example configuration in testdata/config.json, and the
// folder lib with the modules of package attestctl, which any policy may import.
// No policy has a configuration of its own: without one each of them denies
// everything, with code "config".
//
//go:embed lib codelab confidential-space gce-cvm measured-boot sev-snp tdx
var FS embed.FS

// names lists the policies in FS, sorted.
var names = []string{"codelab", "confidential-space", "gce-cvm", "measured-boot", "sev-snp", "tdx"}

// Names returns the names of the policies that ship, sorted. The folder of each
// in FS has its name.
func Names() []string { return slices.Clone(names) }
