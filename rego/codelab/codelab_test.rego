package attest_test

import data.attest

_genuine := {"hwmodel": "GCP_AMD_SEV", "swname": "GCE", "submods": {"gce": {"project_id": "attestctl-forge"}}}

_config := {"project_ids": ["attestctl-forge"]}

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

test_allowed if _decide(_genuine, _config) == {"allow": true, "codes": set()}

_issuer := "https://confidentialcomputing.googleapis.com"

# The codelab's own evidence: a token, which says the same under the same names.
_token := object.union(_genuine, {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"format": "jwt",
	"iss": _issuer,
	"aud": ["https://secrets.example"],
	"secboot": true,
	"oemid": 11129,
	"token": {"iss": _issuer, "aud": "https://secrets.example"},
})

test_token_allowed if _decide(_token, _config) == {"allow": true, "codes": set()}

test_token_denied[note] if {
	some note, case in {
		"SNP": {"code": "hardware", "claims": object.union(_token, {"hwmodel": "GCP_AMD_SEV_SNP"})},
		"Intel's word": {"code": "hardware", "claims": object.union(_token, {"hwmodel": "INTEL_TDX"})},
		"hwmodel only as spelled": {
			"code": "hardware",
			"claims": json.remove(object.union(_token, {"token": {"hwmodel": "GCP_AMD_SEV"}}), ["hwmodel"]),
		},
		"Confidential Space": {"code": "software", "claims": object.union(_token, {"swname": "CONFIDENTIAL_SPACE"})},
		"another's project": {
			"code": "project",
			"claims": object.union(_token, {"submods": {"gce": {"project_id": "someone-else"}}}),
		},
		"no submods, as in staging": {"code": "project", "claims": json.remove(_token, ["submods/gce"])},
	}
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

# Each change of the claims is refused, by one rule alone.
test_denied[note] if {
	some note, case in {
		"SNP": {"code": "hardware", "claims": object.union(_genuine, {"hwmodel": "GCP_AMD_SEV_SNP"})},
		"hwmodel absent": {"code": "hardware", "claims": json.remove(_genuine, ["hwmodel"])},
		"hwmodel null": {"code": "hardware", "claims": object.union(_genuine, {"hwmodel": null})},
		"hwmodel of another type": {"code": "hardware", "claims": object.union(_genuine, {"hwmodel": ["GCP_AMD_SEV"]})},
		"Confidential Space": {"code": "software", "claims": object.union(_genuine, {"swname": "CONFIDENTIAL_SPACE"})},
		"swname absent": {"code": "software", "claims": json.remove(_genuine, ["swname"])},
		"swname of another type": {"code": "software", "claims": object.union(_genuine, {"swname": true})},
		"another's project": {
			"code": "project",
			"claims": object.union(_genuine, {"submods": {"gce": {"project_id": "someone-else"}}}),
		},
		"project absent": {"code": "project", "claims": json.remove(_genuine, ["submods/gce/project_id"])},
		"no submods": {"code": "project", "claims": json.remove(_genuine, ["submods"])},
		"project of another type": {
			"code": "project",
			"claims": object.union(_genuine, {"submods": {"gce": {"project_id": 7}}}),
		},
	}
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_without_claims[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "number": 1, "true": true, "false": false}
	_decide(claims, _config) == {"allow": false, "codes": {"hardware", "software", "project"}}
}

test_denied_without_config[note] if {
	some note, config in {
		"none": {},
		"null": null,
		"list": ["attestctl-forge"],
		"empty list": {"project_ids": []},
		"text": {"project_ids": "attestctl-forge"},
		"empty name": {"project_ids": [""]},
		"misspelt": {"project_id": ["attestctl-forge"]},
		"one too many": object.union(_config, {"zones": ["europe-west4-b"]}),
	}
	_decide(_genuine, config) == {"allow": false, "codes": {"config"}}
}

test_denied_without_data if {
	not attest.allow with input as _genuine
	codes := {reason.code | some reason in attest.deny} with input as _genuine
	codes == {"config"}
}

test_message if attest.deny == {{
	"code": "project",
	"msg": `submods.gce.project_id is "someone-else", want one of project_ids: ["attestctl-forge"]`,
}} with input as object.union(_genuine, {"submods": {"gce": {"project_id": "someone-else"}}})
	with data.config as _config
