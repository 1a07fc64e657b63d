package evidence

import (
	"bytes"
	"slices"
)

// jsonNames lists the names at the top of each format that is a JSON object, in
// every spelling that its decoder takes. A name may be one of two formats; what has
// nothing but such names fits both, and Load then asks.
var jsonNames = map[string][]string{
	formatJSON: {
		"akPub", "ak_pub", "quotes", "eventLog", "event_log", "instanceInfo", "instance_info",
		"canonicalEventLog", "canonical_event_log", "akCert", "ak_cert", "intermediateCerts", "intermediate_certs",
		"sevSnpAttestation", "sev_snp_attestation", "tdxAttestation", "tdx_attestation",
	},
	formatSNPJSON: snpFields,
	formatToken:   joseNames,
	formatREST: {
		"challenge", "gcpCredentials", "gcp_credentials", "tpmAttestation", "tpm_attestation",
		"confidentialSpaceInfo", "confidential_space_info", "tokenOptions", "token_options", "tdCcel", "td_ccel",
		"sevSnpAttestation", "sev_snp_attestation", "attester", "nvidiaAttestation", "nvidia_attestation", "instance",
	},
	formatCloudLog: {
		"insertId", "jsonPayload", "textPayload", "protoPayload", "logName", "resource", "timestamp", "receiveTimestamp",
	},
}

// fitsNames reports whether b is a JSON object with a name of the format that no
// other has, or with none but names of two formats of which it is one.
func fitsNames(b []byte, format string) bool {
	if firstByte(b) != '{' || !isText(b) {
		return false
	}
	shared, others := false, false
	for _, name := range topNames(b) {
		in := formatsWith(name)
		switch {
		case slices.Equal(in, []string{format}):
			return true
		case slices.Contains(in, format):
			shared = true
		case len(in) == 1:
			others = true
		}
	}
	return shared && !others
}

// fitsNoNames reports whether b is a JSON object without a name of any format.
func fitsNoNames(b []byte) bool {
	return firstByte(b) == '{' && isText(b) &&
		!slices.ContainsFunc(topNames(b), func(name string) bool { return len(formatsWith(name)) > 0 })
}

func formatsWith(name string) []string {
	var list []string
	for format, names := range jsonNames {
		if slices.Contains(names, name) {
			list = append(list, format)
		}
	}
	return list
}

// maxTopNames bounds the names that are looked at. No format has as many.
const maxTopNames = 64

// topNames returns the names of the JSON object that b begins with, as they are
// written, up to where it ends or is none. It decodes nothing.
func topNames(b []byte) []string {
	var names []string
	depth, name := 0, false // name: the next string at the top is one
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
			name = depth == 1
		case '}', ']':
			if depth--; depth == 0 {
				return names
			}
		case ',':
			name = depth == 1
		case '"':
			end := stringEnd(b, i)
			if end < 0 || len(names) == maxTopNames {
				return names
			}
			if name {
				names = append(names, string(bytes.ToValidUTF8(b[i+1:end], nil)))
				name = false
			}
			i = end
		}
	}
	return names
}
