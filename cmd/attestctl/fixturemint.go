package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attestctl/attestctl/internal/fixture"
	"github.com/attestctl/attestctl/internal/forge"
	"github.com/attestctl/attestctl/internal/hint"
	"github.com/attestctl/attestctl/internal/report"
)

// schemaDefects is the schema of what --list-defects writes as JSON.
const schemaDefects = "attestctl.defects/v1"

// fixtureMint is the command and its flags.
type fixtureMint struct {
	sys                         *system
	dir, name, title, format    string
	technology, ak, secureBoot  string
	binding                     string
	noReport                    bool
	cmdline                     string
	container                   bool
	project, zone, instanceName string
	audience, tokenNonce        string
	noTokenNonce                bool // --token-nonce is there, and empty
	issued                      time.Time
	defect                      string
	listDefects                 bool
	output                      string
}

// The words of the flags, the default first, with what they stand for.
var (
	technologies = []named[forge.Technology]{
		{"sev", forge.AMDSEV}, {"sev-es", forge.AMDSEVES}, {"snp", forge.AMDSEVSNP}, {"tdx", forge.IntelTDX}, {"none", forge.NoTechnology},
	}
	keyTypes        = []named[forge.KeyType]{{"rsa", forge.RSA2048}, {"p256", forge.P256}}
	secureBootModes = []named[forge.SecureBoot]{
		{"on", forge.SecureBootOn}, {"off", forge.SecureBootOff}, {"absent", forge.SecureBootAbsent},
	}
)

var mintBindings = []named[forge.Binding]{
	{"nonce-ak", forge.BindNonceAK}, {"nonce-padded", forge.BindNonce}, {"workload-attestation", forge.BindWorkload},
}

// tokenForms are the forms that rest on a token of Google, or ask for one. What
// else there is are forms of the message of gotpm attest.
var tokenForms = []named[func(forge.Machine, forge.Token) (*forge.Evidence, error)]{
	{"token", func(_ forge.Machine, t forge.Token) (*forge.Evidence, error) { return t.Mint() }},
	{"pki", func(_ forge.Machine, t forge.Token) (*forge.Evidence, error) {
		t.PKI = true
		return t.Mint()
	}},
	{"cloud-log", func(m forge.Machine, t forge.Token) (*forge.Evidence, error) {
		return forge.CloudLog{Runs: []forge.LogRun{{Machine: m, Token: t}}}.Export()
	}},
	{"rest", func(m forge.Machine, t forge.Token) (*forge.Evidence, error) {
		e, err := m.Attest(forge.ChallengeNonce(forge.NewKeys(forge.DefaultSeed), t.Nonces[0]))
		if err != nil {
			return nil, err
		}
		e.Raw, err = e.RESTBody(forge.REST{Instance: m.Instance, Audience: t.Audience, Nonces: t.Nonces})
		return e, err
	}},
}

// tokensAlone are the forms that are a token and nothing else.
var tokensAlone = []string{"token", "pki"}

// named is a word for a value.
type named[T any] struct {
	word  string
	value T
}

func words[T any](list []named[T]) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.word)
	}
	return out
}

// valueOf returns the value of a word that the flag has let pass.
func valueOf[T any](list []named[T], word string) T {
	for _, n := range list {
		if n.word == word {
			return n.value
		}
	}
	return list[0].value
}

func newFixtureMint(sys *system) *cobra.Command {
	m := &fixtureMint{sys: sys}
	c := &cobra.Command{
		Use:   "mint --name NAME [flags]",
		Short: "Make synthetic evidence, honest or not, as a case",
		Long: `Mint boots a made-up machine, attests it with a software key under a test
authority, and writes the case with what came out. The same flags give the same
bytes. No trust directory outside of tests may hold the test authority's root: the
case carries its own.

--format says how the machine is attested: token is what Google would say of it,
pki the same with certificates, cloud-log what gotpm token --cloud-log would
have logged, rest its request for the token, and the others are forms of what gotpm
attest writes.

--defect makes the evidence of a named attack or oddity, which has a machine of
its own; --list-defects names them with the check that fails.`,
		Example: `  attestctl fixture mint --name tdx-no-secure-boot --technology tdx --secure-boot off
  attestctl fixture mint --name other-project --project somebody-else --ak p256
  attestctl fixture mint --name space-token --container --format token --audience https://verifier.example
  attestctl fixture mint --name relabelled --defect selection_empty_subset_24_relabel/relabelled
  attestctl fixture mint --list-defects`,
		Args: arguments(0, 0, "argument"),
	}
	leaf(c, func([]string) error {
		if m.listDefects {
			return m.list()
		}
		if err := m.check(c); err != nil {
			return err
		}
		return m.run()
	})
	m.add(c)
	return c
}

// machineFlags describe the machine, which a defect has of its own.
var machineFlags = []string{"technology", "ak", "secure-boot", "no-report", "binding", "cmdline", "container", "project", "zone", "instance", "audience", "token-nonce", "issued"}

func (m *fixtureMint) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&m.name, "name", "", "`NAME` of the new case")
	f.StringVar(&m.title, "title", "", "`TEXT` that says what the case is about")
	for _, w := range []struct {
		value       *string
		name, usage string
		words       []string
	}{
		{&m.technology, "technology", "what the firmware measures", words(technologies)},
		{&m.ak, "ak", "attestation key", words(keyTypes)},
		{&m.secureBoot, "secure-boot", "UEFI Secure Boot", words(secureBootModes)},
		{&m.binding, "binding", "report data", words(mintBindings)},
		{&m.format, "format", "form", append(fixture.MintFormats(), words(tokenForms)...)},
	} {
		*w.value = w.words[0]
		choice(c, w.value, w.name, "", w.usage+": "+strings.Join(w.words, ", "), w.words)
	}
	f.BoolVar(&m.noReport, "no-report", false, "leave out the hardware report of snp or tdx")
	f.StringVar(&m.cmdline, "cmdline", "", "kernel command `LINE`")
	f.BoolVar(&m.container, "container", false, "launch a container as Confidential Space does")
	f.StringVar(&m.project, "project", "", "project `ID` in the certificate of the key")
	f.StringVar(&m.zone, "zone", "", "`ZONE` in the certificate of the key")
	f.StringVar(&m.instanceName, "instance", "", "instance `NAME` in the certificate of the key")
	f.StringVar(&m.audience, "audience", "", "`AUDIENCE` of the token")
	f.StringVar(&m.tokenNonce, "token-nonce", "", "`NONCE` of the token, '' for none (default one that follows from the name)")
	f.Var(&parsed[time.Time]{&m.issued, parseTime, "TIME", ""}, "issued", "TIME at which the token was issued (default "+forge.Now().Format(time.DateOnly)+")")
	f.StringVar(&m.defect, "defect", "", "`NAME` of what is wrong with the evidence")
	f.BoolVar(&m.listDefects, "list-defects", false, "list the defects and the checks that they fail")
	dirFlag(c, &m.dir)
	textOrJSON(c, &m.output)
}

// check refuses flags that would mean nothing.
func (m *fixtureMint) check(c *cobra.Command) error {
	if m.defect != "" {
		return m.onlyDefect(c)
	}
	for _, name := range []string{"audience", "token-nonce"} {
		if c.Flags().Changed(name) && !m.restsOnToken() {
			return usagef("--%s belongs to --format %s", name, strings.Join(words(tokenForms), ", "))
		}
	}
	m.noTokenNonce = c.Flags().Changed("token-nonce") && m.tokenNonce == ""
	for flag, set := range map[string]bool{"token-nonce ''": m.noTokenNonce, "issued": c.Flags().Changed("issued")} {
		if set && !slices.Contains(tokensAlone, m.format) {
			return usagef("--%s belongs to --format %s", flag, strings.Join(tokensAlone, ", "))
		}
	}
	return nil
}

// onlyDefect refuses flags that a defect would ignore.
func (m *fixtureMint) onlyDefect(c *cobra.Command) error {
	for _, name := range machineFlags {
		if c.Flags().Changed(name) {
			return usagef("--defect has a machine of its own, so that --%s would mean nothing", name)
		}
	}
	if m.restsOnToken() {
		return usagef("--defect has a form of its own, so that --format %s would mean nothing", m.format)
	}
	return nil
}

func (m *fixtureMint) restsOnToken() bool { return slices.Contains(words(tokenForms), m.format) }

func (m *fixtureMint) run() error {
	if m.name == "" {
		return hint.New(usagef("fixture mint needs --name"), "the name becomes that of the folder")
	}
	if err := fixture.CheckName(m.name); err != nil {
		return &exitError{exitUsage, err}
	}
	e, title, err := m.evidence()
	if err != nil {
		return err
	}
	if m.title != "" {
		title = m.title
	}
	how := fixture.Minting{Name: m.name, Spec: fixture.Spec{Title: title}}
	if !m.restsOnToken() {
		how.Format = m.format
	}
	c, err := fixture.Mint(e, how)
	if err != nil {
		return err
	}
	if err := c.Write(m.dir); err != nil {
		return err
	}
	return m.settle(filepath.Join(m.dir, m.name))
}

// settle reads what was written, judges it, and records the outcome.
func (m *fixtureMint) settle(path string) error {
	c, err := fixture.LoadCase(path)
	if err != nil {
		return err
	}
	got, err := c.Run(context.Background(), nil)
	if err != nil {
		return err
	}
	if err := c.Update(got); err != nil {
		return err
	}
	line := "minted " + report.Quote(filepath.ToSlash(path)) + ": " + got.Verdict
	if failing := got.Failing(); len(failing) > 0 {
		line += ", failing " + strings.Join(failing, ", ")
	}
	_, err = fmt.Fprintln(m.sys.stdout, line)
	return err
}

func (m *fixtureMint) evidence() (*forge.Evidence, string, error) {
	if m.defect != "" {
		e, d, err := fixture.Defect(m.defect)
		if err != nil {
			return nil, "", &exitError{exitUsage, err}
		}
		return e, "minted with the defect " + d.Name, nil
	}
	machine := forge.Machine{
		Technology: valueOf(technologies, m.technology),
		AK:         valueOf(keyTypes, m.ak),
		Boot:       forge.Boot{SecureBoot: valueOf(secureBootModes, m.secureBoot), CommandLine: m.cmdline},
		Instance:   m.instance(),
	}
	title := "minted: technology " + m.technology + ", Secure Boot " + m.secureBoot
	if m.container {
		machine.Container = forge.DefaultContainer()
		title += ", a container"
		if m.cmdline == "" {
			machine.Boot.CommandLine = forge.HardenedCommandLine
		}
	}
	if (m.technology == "snp" || m.technology == "tdx") && !strings.HasPrefix(m.format, "token") { // which say nothing of reports
		title += ", " + map[bool]string{true: "without its hardware report", false: "with its hardware report"}[m.noReport]
		if !m.noReport {
			machine.Hardware = &forge.Hardware{Binding: valueOf(mintBindings, m.binding)}
		}
	}
	if m.restsOnToken() {
		e, err := valueOf(tokenForms, m.format)(machine, m.token(&machine))
		return e, title + ", as " + m.format, err
	}
	e, err := machine.Attest(fixture.MintNonce(m.name))
	return e, title, err
}

// token is the one that is made or asked for.
func (m *fixtureMint) token(machine *forge.Machine) forge.Token {
	t := forge.Token{Machine: machine, Audience: m.audience, Nonces: []string{}, Issued: m.issued}
	if !m.noTokenNonce {
		t.Nonces = append(t.Nonces, cmp.Or(m.tokenNonce, hex.EncodeToString(fixture.MintNonce(m.name))))
	}
	return t
}

// instance is the default one with the names that flags give. Its numbers
// follow from the names, as those of a real one differ with them.
func (m *fixtureMint) instance() forge.Instance {
	i := forge.DefaultInstance()
	if m.project != "" && m.project != i.ProjectID {
		i.ProjectID, i.ProjectNumber = m.project, number(m.project)
	}
	if m.zone != "" {
		i.Zone = m.zone
	}
	if m.instanceName != "" {
		i.Name = m.instanceName
	}
	if d := forge.DefaultInstance(); i != d {
		i.ID = number(i.ProjectID + "/" + i.Zone + "/" + i.Name)
	}
	return i
}

// number is a positive number that follows from a name.
func number(name string) int64 {
	sum := sha256.Sum256([]byte("attestctl fixture number " + name))
	return int64(binary.BigEndian.Uint64(sum[:])>>2) + 1
}

func (m *fixtureMint) list() error {
	type defect struct {
		Name  string `json:"name"`
		Row   int    `json:"row"`
		Check string `json:"check,omitempty"` // empty if it is accepted
	}
	var list []defect
	var rows [][]string
	for _, c := range fixture.Defects() {
		list = append(list, defect{c.Name, c.Row, c.Check})
		fails := "fails " + c.Check
		if c.Check == "" {
			fails = "accepted"
		}
		rows = append(rows, []string{c.Name, fails})
	}
	if m.output == "json" {
		return m.sys.writeJSON(struct {
			Schema  string   `json:"schema"`
			Defects []defect `json:"defects"`
		}{schemaDefects, list})
	}
	return m.sys.writeTable(rows)
}
