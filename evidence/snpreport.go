package evidence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-sev-guest/abi"
	pb "github.com/google/go-sev-guest/proto/sevsnp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/snp"
)

// The formats of an SEV-SNP report without a vTPM: as the hardware gives it, with
// or without a certificate table behind it, and go-sev-guest's message.
const (
	formatSNP       = "sev-snp-report"
	formatSNPBinary = "sev-snp-binarypb"
	formatSNPText   = "sev-snp-textproto"
	formatSNPJSON   = "sev-snp-protojson"
)

// fitsSNP reports whether b begins with the version and, at its place, the
// signature algorithm of a report (AMD 56860, ATTESTATION_REPORT).
func fitsSNP(b []byte) bool {
	const algorithmAt, maxVersion, algorithm = 0x34, 16, 1
	if len(b) < algorithmAt+4 {
		return false
	}
	version := binary.LittleEndian.Uint32(b)
	return version > 0 && version <= maxVersion && binary.LittleEndian.Uint32(b[algorithmAt:]) == algorithm
}

func decodeSNPReport(b []byte) (Bundle, error) {
	raw, table, err := snp.SplitExtended(b)
	if err != nil {
		return nil, err
	}
	report, err := snp.ParseReport(raw)
	if err != nil {
		return nil, err
	}
	e := &snpEvidence{report: report}
	if err := e.addTable(table); err != nil {
		return nil, fmt.Errorf("certificate table: %w", err)
	}
	return &hardwareReport{format: formatSNP, hw: hardware{kind: teeSNP, snp: e}}, nil
}

// addTable takes the certificates of a table behind a report.
func (e *snpEvidence) addTable(raw []byte) error {
	table, err := snp.ParseCertTable(raw)
	if err != nil {
		return err
	}
	for _, entry := range table.Entries {
		switch entry.GUID {
		case snp.GUIDVCEK, snp.GUIDVLEK, snp.GUIDASK, snp.GUIDARK:
		default:
			continue
		}
		if len(entry.Data) == 0 {
			continue
		}
		der, err := snp.CertificateDER(entry.Data)
		if err != nil {
			return fmt.Errorf("%s: %w", entry.GUID.Name(), err)
		}
		e.addCertificate(entry.GUID, der)
	}
	return nil
}

// addCertificate takes a certificate by its kind: that of the key which signs
// the report, or of a key above it. The other of VCEK and VLEK is not used.
func (e *snpEvidence) addCertificate(kind snp.GUID, der []byte) {
	signs := map[snp.SigningKey]snp.GUID{snp.VCEK: snp.GUIDVCEK, snp.VLEK: snp.GUIDVLEK}[e.report.KeyInfo.SigningKey]
	switch kind {
	case snp.GUIDASK, snp.GUIDARK:
		e.carried = append(e.carried, der)
	case signs:
		e.key = der
	}
}

// fitsSNPBinary reports whether b begins with a message that begins with the
// version of a report. The first field of attest.Attestation is a TPMT_PUBLIC,
// which begins with zero.
func fitsSNPBinary(b []byte) bool {
	const reportField, versionField = 1, 1
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != reportField || typ != protowire.BytesType {
		return false
	}
	report, n := protowire.ConsumeBytes(b[n:])
	if n < 0 {
		return false
	}
	num, typ, n = protowire.ConsumeTag(report)
	return n > 0 && num == versionField && typ == protowire.VarintType
}

// snpFields are the names at the top of go-sev-guest's message; none of them is
// one of attest.Attestation's.
var snpFields = []string{"report", "certificate_chain", "certificateChain", "product"}

func isSNPField(name string) bool { return slices.Contains(snpFields, name) }

// fitsSNPText reports whether b is text whose first name is one of the message's.
func fitsSNPText(b []byte) bool {
	if !isText(b) {
		return false
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.IndexFunc(line, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
		return end > 0 && isSNPField(line[:end])
	}
	return false
}

func fitsSNPJSON(b []byte) bool { return fitsNames(b, formatSNPJSON) }

func decodeSNPBinary(b []byte) (Bundle, error) {
	msg := new(pb.Attestation)
	unknown, err := unmarshalBinary(b, msg)
	if err != nil {
		return nil, err
	}
	return newSNPReport(formatSNPBinary, msg, unknown)
}

func decodeSNPText(b []byte) (Bundle, error) {
	msg := new(pb.Attestation)
	if err := unmarshalText(b, msg); err != nil {
		return nil, err
	}
	return newSNPReport(formatSNPText, msg, 0)
}

func decodeSNPJSON(b []byte) (Bundle, error) {
	msg := new(pb.Attestation)
	if err := unmarshalJSON(b, msg); err != nil {
		return nil, err
	}
	return newSNPReport(formatSNPJSON, msg, 0)
}

func newSNPReport(format string, msg *pb.Attestation, unknown int) (Bundle, error) {
	e, err := snpOf(msg)
	if err != nil {
		return nil, err
	}
	return &hardwareReport{format: format, unknown: unknown, hw: hardware{kind: teeSNP, snp: e}}, nil
}

// maxExtras bounds the entries that a host may add to a certificate chain.
const maxExtras = 16

// snpOf takes an SEV-SNP report out of go-sev-guest's message, which must have
// no second reading: the report's bytes give the message again.
func snpOf(msg *pb.Attestation) (*snpEvidence, error) {
	if msg.GetReport() == nil {
		return nil, errors.New("there is no report")
	}
	raw, err := abi.ReportToAbiBytes(msg.GetReport())
	if err != nil {
		return nil, err
	}
	report, err := snp.ParseReport(raw)
	if err != nil {
		return nil, err
	}
	if again, err := abi.ReportToProto(raw); err != nil || !proto.Equal(again, msg.GetReport()) {
		return nil, fmt.Errorf("report: %w: its bytes give another message", errSecondReading)
	}
	e := &snpEvidence{report: report}
	chain := msg.GetCertificateChain()
	if n := len(chain.GetExtras()); n > maxExtras {
		return nil, fmt.Errorf("certificate_chain.extras has %d entries, at most %d are read", n, maxExtras)
	}
	for key := range chain.GetExtras() {
		if !isGUID(key) {
			return nil, fmt.Errorf("certificate_chain.extras: %.60q is no GUID", key)
		}
	}
	for _, c := range []struct {
		kind snp.GUID
		blob []byte
	}{
		{snp.GUIDVCEK, chain.GetVcekCert()},
		{snp.GUIDVLEK, chain.GetVlekCert()},
		{snp.GUIDASK, chain.GetAskCert()},
		{snp.GUIDARK, chain.GetArkCert()},
	} {
		if len(c.blob) == 0 {
			continue
		}
		der, err := snp.CertificateDER(c.blob)
		if err != nil {
			return nil, fmt.Errorf("certificate_chain, %s: %w", c.kind.Name(), err)
		}
		e.addCertificate(c.kind, der)
	}
	return e, nil
}

// isGUID reports whether text is a GUID as it is usually written.
func isGUID(text string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) != len(form) {
		return false
	}
	for i := range text {
		c := text[i]
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if form[i] == '-' && c != '-' || form[i] == 'x' && !digit {
			return false
		}
	}
	return true
}
