package forge

import (
	"encoding/hex"
	"errors"
	"time"
)

// intelClaims are what Intel Trust Authority says of a Confidential Space on
// TDX, in the order of its tokens: submods by name. The nonces are always an array.
func intelClaims(t Token) (*Object, error) {
	m := *t.Machine
	if m.Technology != IntelTDX || m.Container == nil {
		return nil, errors.New("tokens of this profile are for Confidential Space on TDX")
	}
	return &Object{
		{"aud", t.Audience},
		{"dbgstat", m.dbgStat()},
		{"eat_nonce", texts(t.Nonces)},
		{"eat_profile", intelIssuer + "/eat_profile.html"},
		{"google_service_accounts", m.Instance.serviceAccounts()},
		{"hwmodel", "INTEL_TDX"},
		{"oemid", 11129},
		{"secboot", m.Boot.SecureBoot == SecureBootOn},
		{"sub", m.Instance.url()},
		{"submods", m.submods().sort()},
		{"swname", m.swName()},
		{"swversion", m.swVersion()},
		{"tdx", &Object{
			{"attester_tcb_date", "2025-05-14T00:00:00Z"},
			{"attester_tcb_status", "UpToDate"},
			{"gcp_attester_tcb_date", "2024-03-13T00:00:00Z"},
			{"gcp_attester_tcb_status", "UpToDate"},
		}},
		{"verifier_instance_ids", []string{uuid(t.Keys, "verifier 0"), uuid(t.Keys, "verifier 1")}},
		{"exp", t.after(5 * time.Minute)},
		{"jti", uuid(t.Keys, "jti")},
		{"iat", t.after(0)},
		{"iss", intelIssuer},
		{"nbf", t.after(0)},
	}, nil
}

// azureClaims are what Microsoft Azure Attestation says of an SEV-SNP machine:
// its own names, and the time alone in common with the others.
func azureClaims(t Token) (*Object, error) {
	random := func(name string, size int) string { return hex.EncodeToString(t.Keys.bytes("azure "+name, size)) }
	return &Object{
		{"exp", t.after(8 * time.Hour)},
		{"iat", t.after(0)},
		{"iss", azureIssuer},
		{"jti", random("jti", 32)},
		{"nbf", t.after(0)},
		{"nonce", textOrTexts(t.Nonces)},
		{"x-ms-attestation-type", "sevsnpvm"},
		{"x-ms-policy-hash", base64url(t.Keys.bytes("azure policy", 32))},
		{"x-ms-sevsnpvm-bootloader-svn", 3},
		{"x-ms-sevsnpvm-guestsvn", 2},
		{"x-ms-sevsnpvm-hostdata", random("host data", 32)},
		{"x-ms-sevsnpvm-is-debuggable", false},
		{"x-ms-sevsnpvm-launchmeasurement", random("measurement", 48)},
		{"x-ms-sevsnpvm-microcode-svn", 115},
		{"x-ms-sevsnpvm-migration-allowed", false},
		{"x-ms-sevsnpvm-reportdata", random("report data", 64)},
		{"x-ms-sevsnpvm-smt-allowed", true},
		{"x-ms-sevsnpvm-snpfw-svn", 8},
		{"x-ms-sevsnpvm-tee-svn", 0},
		{"x-ms-sevsnpvm-vmpl", 0},
		{"x-ms-ver", "1.0"},
	}, nil
}

// uuid has the form of one (RFC 9562 4), and no more.
func uuid(keys *Keys, name string) string {
	s := hex.EncodeToString(keys.bytes("uuid "+name, 16))
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-8" + s[17:20] + "-" + s[20:]
}

// veraisonClaims are an EAR of 2023, as package ear of Veraison writes it: no
// end, and no issuer.
func veraisonClaims(t Token) (*Object, error) {
	return &Object{
		{"ear.raw-evidence", "3q2-7w"},
		{"iat", t.after(0)},
		{"ear.verifier-id", &Object{{"build", "forge 1"}, {"developer", "attestctl"}}},
		{"eat_nonce", textOrTexts(t.Nonces)},
		{"eat_profile", "tag:github.com,2023:veraison/ear"},
		{"submods", &Object{{"cpu", &Object{
			{"ear.status", "affirming"},
			{"ear.trustworthiness-vector", trustVector()},
			{"ear.appraisal-policy-id", "https://veraison.example/policy/1/60a0068d"},
		}}}},
	}, nil
}

// trusteeClaims are an EAR of 2024, as Trustee's attestation service writes it.
func trusteeClaims(t Token) (*Object, error) {
	return &Object{
		{"eat_profile", "tag:github.com,2024:confidential-containers/Trustee"},
		{"iat", t.after(0)},
		{"ear.verifier-id", &Object{{"developer", "https://confidentialcontainers.org"}, {"build", "attestation-service 0.1.0"}}},
		{"eat_nonce", textOrTexts(t.Nonces)},
		{"submods", &Object{{"cpu0", &Object{
			{"ear.status", "affirming"},
			{"ear.trustworthiness-vector", &Object{{"configuration", 3}, {"executables", 3}, {"hardware", 2}}},
			{"ear.appraisal-policy-id", "default"},
			{"ear.veraison.annotated-evidence", &Object{{"init_data_claims", nil}, {"report_data", hex.EncodeToString(t.Keys.bytes("report data", 64))}}},
		}}}},
		{"exp", t.after(5 * time.Minute)},
	}, nil
}

// draftClaims are an EAR of draft-ietf-rats-ear-03, 4: the names have no dots,
// and a tier is a number.
func draftClaims(t Token) (*Object, error) {
	return &Object{
		{"eat_profile", "tag:ietf.org,2026:rats/ear#03"},
		{"iss", earIssuer},
		{"iat", t.after(0)},
		{"exp", t.after(time.Hour)},
		{"ear_verifier_id", &Object{{"developer", earIssuer}, {"build", "forge 1"}}},
		{"submods", &Object{{"attester", &Object{
			{"ear_status", 2},
			{"ear_trustworthiness_vector", trustVector()},
			{"ear_appraisal_policy_ids", []string{"https://verifier.attestctl-forge.example/policy/1"}},
		}}}},
		{"eat_nonce", textOrTexts(t.Nonces)},
	}, nil
}

func trustVector() *Object {
	return &Object{
		{"instance-identity", 2},
		{"configuration", 2},
		{"executables", 3},
		{"file-system", 2},
		{"hardware", 2},
		{"runtime-opaque", 2},
		{"storage-opaque", 2},
		{"sourced-data", 2},
	}
}
