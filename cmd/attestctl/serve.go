package main

import (
	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/server"
)

// serve is the command and its flags.
type serve struct {
	sys   *system
	o     server.Options
	trust trustFlags

	engine        string
	audit         string // the file
	auditKey      string
	challengeKeys string
}

func newServe(sys *system) *cobra.Command {
	s := &serve{sys: sys, engine: engineRego}
	c := leaf(&cobra.Command{
		Use:   "serve --policy POLICY --secrets DIR --audit FILE --audit-key FILE [flags]",
		Short: "Release secrets to those whose evidence a policy allows",
		Long: `Serve releases secrets over https to whoever brings evidence that verify --policy
would accept and allow, and to nobody else. No flag switches a check off.

  GET /                   the default secret for a token: Authorization: Bearer TOKEN
  POST /v1/challenge      a challenge for a secret and the client's key
  POST /v1/secrets/NAME   a secret, encrypted to the key, for evidence that answers it,
                          and wrapped for the client's TPM if that is named
  POST /v1/appraise       the decision alone, with its reasons (--appraise)

DIR holds secrets.yaml, which says what is released and on which conditions. Every
decision is on disk, in the file of --audit, before a secret leaves; audit keygen
makes the key that signs this log. Clients see one denial, whatever the reason;
the reasons are in the log: audit query.

A token that answers no challenge is good once. For that --used-dir names a folder,
which outlasts restarts. Replicas share it, and the keys of --challenge-keys.

Files that change, and SIGHUP, reload policies, secrets, trust and certificates. What
does not load changes nothing, and /readyz of --admin says why. SIGTERM and SIGINT
end the server when the requests under way are answered.

Exit codes: 0 ended by a signal, 1 error of the server or its files, 2 wrong usage.`,
		Example: `  attestctl audit keygen audit.key > audit.pub
  attestctl serve --policy builtin:codelab --config config.json --secrets secrets/ \
    --audience https://db.example.com --used-dir used/ --tls-cert cert.pem --tls-key key.pem \
    --audit audit.log --audit-key audit.key
  curl https://db.example.com:8443/ -H "Authorization: Bearer $(cat attestation_token)"`,
		Args: arguments(0, 0, "argument"),
	}, s.run)
	s.policyFlags(c)
	s.expectFlags(c)
	s.stateFlags(c)
	s.networkFlags(c)
	s.limitFlags(c)
	return c
}

func (s *serve) run([]string) error {
	if err := s.check(); err != nil {
		return err
	}
	if err := s.serve(); err != nil {
		return &exitError{exitTool, err} // nothing here is evidence
	}
	return nil
}
