package attest_test

import data.attest

# The least that the policy allows. The cases below fixtures/ are whole.
_genuine := {
	"schema": "attestctl.claims/v1",
	"hwmodel": "GCP_AMD_SEV",
	"secboot": true,
	"oemid": 11129,
	"submods": {"gce": {"project_id": "attestctl-forge"}},
	"tpm": {
		"ak": {"trust": "certificate", "certificate": {"production": true}},
		"pcrs": {"sha256": {i: "00" | some i in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "14"]}},
	},
	"boot": {"bank": "sha256", "complete": true, "uefi_debug": false, "secure_boot": {"enabled": true}},
}

_config := {"project_ids": ["attestctl-forge"], "hwmodels": ["GCP_AMD_SEV"]}

test_allowed if attest.allow with input as _genuine with data.config as _config

# Each change is denied, for the reason that it should be.
test_denied[note] if {
	some note, case in {
		"another project": {"code": "project", "change": {"submods": {"gce": {"project_id": "someone-else"}}}},
		"other hardware": {"code": "hardware", "change": {"hwmodel": "GCP_SHIELDED_VM"}},
		"incomplete boot": {"code": "boot", "change": {"boot": {"complete": false}}},
		"Secure Boot off": {"code": "secure-boot", "change": {"boot": {"secure_boot": {"enabled": false}}}},
		"firmware debug": {"code": "firmware-debug", "change": {"boot": {"uefi_debug": true}}},
	}
	claims := object.union(_genuine, case.change)
	not attest.allow with input as claims with data.config as _config
	codes := {reason.code | some reason in attest.deny} with input as claims with data.config as _config
	codes == {case.code}
}

test_nothing_is_denied if {
	not attest.allow with input as {} with data.config as _config
}
