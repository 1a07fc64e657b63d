package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// loggedAttestation is an attestation rebuilt from a log.
type loggedAttestation struct {
	*Attestation

	lossy []string // numbers of the SEV-SNP report that the log has rounded
	// key is the certificate of the key that signs a report that cannot be rebuilt;
	// nil where none was logged.
	key []byte
}

// decodeLoggedAttestation rebuilds an attestation from what encoding/json makes of
// its Go structs and Cloud Logging of that, which keeps every number as a float64.
// All of it comes back but an SEV-SNP report with a number that has no exact
// float64, as its versions have: that report is left out.
func decodeLoggedAttestation(n strictjson.Node) (a *loggedAttestation, err error) {
	defer func() {
		if p := recover(); p != nil { // a library over what is not trusted
			a, err = nil, fmt.Errorf("internal error while decoding: %v", p)
		}
	}()
	msg := new(attest.Attestation)
	d := goJSON{}
	if err := d.message(n, msg.ProtoReflect(), "TeeAttestation"); err != nil {
		return nil, err
	}
	tee := goJSON{}
	if err := tee.hardware(n, msg); err != nil {
		return nil, err
	}
	a = &loggedAttestation{lossy: tee.lossy}
	if snp := msg.GetSevSnpAttestation(); snp != nil && len(tee.lossy) > 0 {
		if a.key, err = wholeButRounded(snp, tee.rounded); err != nil {
			return nil, fmt.Errorf("TeeAttestation: %w", err)
		}
		msg.TeeAttestation = nil
	}
	if msg.GetTdxAttestation() != nil && len(tee.lossy) > 0 {
		return nil, fmt.Errorf("TeeAttestation: %s", strings.Join(tee.lossy, ", "))
	}
	a.Attestation, err = newAttestation(formatCloudLog, msg, d.unknown+tee.unknown)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// hardware decodes the report of the hardware, which is a struct around one of its
// kinds, or null.
func (d *goJSON) hardware(n strictjson.Node, msg *attest.Attestation) error {
	tee, ok := n.Get("TeeAttestation")
	if !ok || tee.Kind == strictjson.Null {
		return nil
	}
	if tee.Kind != strictjson.Object || len(tee.Members) != 1 {
		return errors.New("TeeAttestation: want an object around one report")
	}
	var report proto.Message
	switch tee.Members[0].Name {
	case "SevSnpAttestation":
		t := &attest.Attestation_SevSnpAttestation{SevSnpAttestation: newOf(msg.GetSevSnpAttestation())}
		msg.TeeAttestation, report = t, t.SevSnpAttestation
	case "TdxAttestation":
		t := &attest.Attestation_TdxAttestation{TdxAttestation: newOf(msg.GetTdxAttestation())}
		msg.TeeAttestation, report = t, t.TdxAttestation
	default:
		return fmt.Errorf("TeeAttestation: %s is no report that is known", strictjson.Quote(tee.Members[0].Name))
	}
	if err := d.message(tee.Members[0].Value, report.ProtoReflect(), ""); err != nil {
		return fmt.Errorf("TeeAttestation: %w", err)
	}
	return nil
}

// newOf returns a new message of the type of its argument, which is nil.
func newOf[T any](*T) *T { return new(T) }

// wholeButRounded returns the certificate of the key that signs a report of which
// the log has rounded versions, and nothing else is amiss: what is not such a report
// does not pass for one.
func wholeButRounded(snp *sevsnp.Attestation, rounded []string) ([]byte, error) {
	for _, name := range rounded {
		if !strings.HasSuffix(name, "_tcb") && !strings.HasSuffix(name, "_mit_vector") {
			return nil, fmt.Errorf("%s is rounded, which no report's is", strictjson.Quote(name))
		}
	}
	r := snp.GetReport()
	for _, f := range []struct {
		name string
		got  []byte
		want int
	}{
		{"family_id", r.GetFamilyId(), 16},
		{"image_id", r.GetImageId(), 16},
		{"report_data", r.GetReportData(), 64},
		{"measurement", r.GetMeasurement(), 48},
		{"host_data", r.GetHostData(), 32},
		{"id_key_digest", r.GetIdKeyDigest(), 48},
		{"author_key_digest", r.GetAuthorKeyDigest(), 48},
		{"report_id", r.GetReportId(), 32},
		{"report_id_ma", r.GetReportIdMa(), 32},
		{"chip_id", r.GetChipId(), 64},
		{"signature", r.GetSignature(), 512},
	} {
		if len(f.got) != f.want {
			return nil, fmt.Errorf("report.%s has %d bytes, want %d", f.name, len(f.got), f.want)
		}
	}
	key := snp.GetCertificateChain().GetVcekCert()
	if len(key) == 0 {
		key = snp.GetCertificateChain().GetVlekCert()
	}
	if _, err := parseCertificateDER(key); err != nil {
		return nil, fmt.Errorf("certificate of the key: %w", err)
	}
	return key, nil
}
