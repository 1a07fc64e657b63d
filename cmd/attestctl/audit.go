package main

import "github.com/spf13/cobra"

func newAudit(sys *system) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "audit",
		Short: "Verify and read the audit log of a server",
		Long: `Audit reads the log that serve --audit writes: one line a decision, each with the
hash of the line before, and signed checkpoints in between. It needs no server.`,
		Example: `  attestctl audit keygen audit.key > audit.pub
  attestctl audit verify audit.log --key audit.pub
  attestctl audit query audit.log --outcome denied --since 2026-11-01`,
	})
	c.AddCommand(newAuditKeygen(sys), newAuditVerify(sys), newAuditShow(sys), newAuditQuery(sys))
	return c
}
