package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/forge"
)

func noTerminal(io.Writer) int { return 0 }

// writeEvidence writes what the scripts work with: Google's own evidence out of
// the go-tpm-tools module, a minted tpm2_quote, and hostile files.
func writeEvidence(dir string) error {
	files, err := evidenceFiles()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	huge, err := os.Create(filepath.Join(dir, "huge.dat"))
	if err != nil {
		return err
	}
	return errors.Join(huge.Truncate(1<<30), huge.Close())
}

var evidenceFiles = sync.OnceValues(func() (map[string][]byte, error) {
	gce, err := moduleEvidence()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"gce.pb": gce, "truncated.pb": gce[:len(gce)/2], "empty.dat": {}, "bomb.log": bombLog(),
	}
	minted, err := mintedFiles()
	maps.Copy(files, minted)
	return files, err
})

// moduleEvidence reads evidence that Google took of its own VM, for nonce 9009.
func moduleEvidence() ([]byte, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/go-tpm-tools").Output()
	if err != nil {
		return nil, fmt.Errorf("finding go-tpm-tools: %w", err)
	}
	return os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal/test/attestations/gce-cos-85-nonce9009.pb"))
}

// mintedNonce is the nonce of all that is minted here.
var mintedNonce = bytes.Repeat([]byte{0x5f}, 32)

// mintedFiles mints one machine in several forms, and one whose boot loader
// measured text that means to be read on a terminal.
func mintedFiles() (map[string][]byte, error) {
	e, err := forge.Machine{}.Attest(mintedNonce)
	if err != nil {
		return nil, err
	}
	triple, err := e.Triple(forge.Alg(tpm.AlgSHA256))
	if err != nil {
		return nil, err
	}
	raw, err := e.Binary()
	if err != nil {
		return nil, err
	}
	spoof, err := forge.Machine{Boot: forge.Boot{CommandLine: "quiet \x1b]52;c;aGk=\x07\rACCEPTED \u202e"}}.Attest(mintedNonce)
	if err != nil {
		return nil, err
	}
	spoofRaw, err := spoof.Binary()
	if err != nil {
		return nil, err
	}
	log := e.Attestation.GetEventLog()
	return map[string][]byte{
		"minted.pb": raw, "spoof.pb": spoofRaw, "ak.pub": e.AK.TPM2BPublic(), "boot.log": log,
		"padded.log": append(bytes.Clone(log), bytes.Repeat([]byte{0xff}, 1000)...),
		"quote.msg":  triple.Message, "quote.sig": triple.Signature, "quote.pcrs": triple.PCRs,
		"pcrs.yaml": pcrread(e.PCRs, ""), "pcrs.json": pcrjson(e.PCRs),
		"pcrs-wrong.yaml": pcrread(e.PCRs, "4"),
	}, nil
}

// pcrread prints values as tpm2_pcrread does. The value of one PCR may be
// changed.
func pcrread(banks forge.Banks, wrong string) []byte {
	var b bytes.Buffer
	for _, alg := range slices.Sorted(maps.Keys(banks)) {
		fmt.Fprintf(&b, "  %v:\n", tpm.Alg(alg))
		for _, pcr := range slices.Sorted(maps.Keys(banks[alg])) {
			value := bytes.Clone(banks[alg][pcr])
			if fmt.Sprint(pcr) == wrong {
				value[0] ^= 1
			}
			fmt.Fprintf(&b, "    %-2d: 0x%X\n", pcr, value)
		}
	}
	return b.Bytes()
}

func pcrjson(banks forge.Banks) []byte {
	var parts []string
	for _, pcr := range []uint32{0, 4, 7} {
		parts = append(parts, fmt.Sprintf("%q: %q", fmt.Sprint(pcr), fmt.Sprintf("%x", banks[forge.Alg(tpm.AlgSHA256)][pcr])))
	}
	return fmt.Appendf(nil, `{"values": {"SHA256": {%s}}}`, strings.Join(parts, ", "))
}

// bombLog is a log of fewer than 200 bytes for which go-eventlog allocates 8 GiB:
// a db variable with a signature list whose signatures have size 0.
func bombLog() []byte {
	list := append(bytes.Repeat([]byte{0xa5}, 16), make([]byte, 12)...)
	binary.LittleEndian.PutUint32(list[16:], 0xffffffff)
	data := forge.Variable(forge.ImageSecurityDatabase(), "db", list)
	log := binary.LittleEndian.AppendUint32(nil, 7)
	log = binary.LittleEndian.AppendUint32(log, forge.EvVariableConfig)
	digest := sha1.Sum(data)
	log = append(log, digest[:]...)
	log = binary.LittleEndian.AppendUint32(log, uint32(len(data)))
	return append(log, data...)
}

// flipBit changes a bit of the first of the bytes at, wherever they are.
func flipBit(data, at []byte) error {
	i := bytes.Index(data, at)
	if i < 0 || len(at) == 0 {
		return fmt.Errorf("no %x in %d bytes", at, len(data))
	}
	for ; i >= 0; i = bytes.Index(data, at) {
		data[i] ^= 1
	}
	return nil
}

const corpusDir = "../../../shared/corpus"

// copyCorpus copies files of the corpus, which lies beside the project's
// working tree and not in it.
func copyCorpus(dir string, names []string) error {
	if _, err := os.Stat(corpusDir); err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(corpusDir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
