package attest_test

import data.attest

_issuer := "https://confidentialcomputing.googleapis.com"

_account := "424242424242-compute@developer.gserviceaccount.com"

# What Google says of a plain machine: no dbgstat, as in its tokens since 2025.
_token := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"format": "jwt",
	"verified_at": 1767225600,
	"checks": {"token.signature": "pass"},
	"iss": _issuer,
	"aud": ["https://secrets.example"],
	"sub": "https://www.googleapis.com/compute/v1/projects/attestctl-forge/zones/europe-west4-b/instances/forged-vm",
	"iat": 1767225000,
	"exp": 1767228600,
	"hwmodel": "GCP_AMD_SEV",
	"swname": "GCE",
	"secboot": true,
	"oemid": 11129,
	"google_service_accounts": [_account],
	"submods": {"gce": {
		"zone": "europe-west4-b",
		"project_id": _project,
		"instance_name": "forged-vm",
		"instance_id": "6797026933021542085",
	}},
	"token": {"iss": _issuer, "hwmodel": "GCP_AMD_SEV"},
}

_both := object.union(_config, {"google_tokens": true})

_tokens_only := json.remove(_both, ["secure_boot_pk", "secure_boot_db", "ak_roots"])

_says(change) := object.union(_token, change)

_silent(path) := json.remove(_token, [path])

# One configuration decides a token and the raw evidence of the same machine.
test_one_config_for_both if {
	_decide(_genuine, _both) == {"allow": true, "codes": set()}
	_decide(_token, _both) == {"allow": true, "codes": set()}
}

test_token_allowed[note] if {
	some note, case in {
		"without boot keys": {"claims": _token, "config": _tokens_only},
		"not debugged": {"claims": _says({"dbgstat": "disabled-since-boot"}), "config": _both},
		"SNP": {
			"claims": _says({"hwmodel": "GCP_AMD_SEV_SNP", "attester_tcb": ["AMD", "GOOGLE"]}),
			"config": object.union(_floor("GCP_AMD_SEV_SNP"), {"google_tokens": true}),
		},
		"service account": {"claims": _token, "config": object.union(_both, {"service_accounts": ["x@y", _account]})},
		"one of two accounts": {
			"claims": _says({"google_service_accounts": ["x@y", _account]}),
			"config": object.union(_both, {"service_accounts": [_account]}),
		},
		"no service account asked for": {"claims": _silent("google_service_accounts"), "config": _both},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

# Each change of a token is refused, by one rule alone.
test_token_denied[note] if {
	some note, case in _token_cases
	_decide(case.claims, object.union(_both, {"service_accounts": [_account]})) == {"allow": false, "codes": {case.code}}
}

_token_cases := {
	"staging": {
		"code": "token-issuer",
		"claims": _says({"iss": "https://staging-confidentialcomputing.sandbox.googleapis.com"}),
	},
	"issuer absent": {"code": "token-issuer", "claims": _silent("iss")},
	"issuer of another type": {"code": "token-issuer", "claims": _says({"iss": [_issuer]})},
	"issuer not in the token": {"code": "token-issuer", "claims": _silent("token/iss")},
	"not Google's number": {"code": "token-issuer", "claims": _says({"oemid": 4711})},
	"oemid absent": {"code": "token-issuer", "claims": _silent("oemid")},
	"Secure Boot off": {"code": "secure-boot", "claims": _says({"secboot": false})},
	"Secure Boot absent": {"code": "secure-boot", "claims": _silent("secboot")},
	"Secure Boot of another type": {"code": "secure-boot", "claims": _says({"secboot": "true"})},
	"debugged": {"code": "debug", "claims": _says({"dbgstat": "enabled"})},
	"dbgstat of tomorrow": {"code": "debug", "claims": _says({"dbgstat": "disabled"})},
	"dbgstat of another type": {"code": "debug", "claims": _says({"dbgstat": false})},
	"dbgstat null": {"code": "debug", "claims": _says({"dbgstat": null})},
	"another account": {"code": "service-account", "claims": _says({"google_service_accounts": ["x@y"]})},
	"account absent": {"code": "service-account", "claims": _silent("google_service_accounts")},
	"account as text": {"code": "service-account", "claims": _says({"google_service_accounts": _account})},
	"Confidential Space": {"code": "software", "claims": _says({"swname": "CONFIDENTIAL_SPACE"})},
	"swname absent": {"code": "software", "claims": _silent("swname")},
	"another's project": {"code": "project", "claims": _says({"submods": {"gce": {"project_id": "someone-else"}}})},
	"project absent": {"code": "project", "claims": _silent("submods/gce/project_id")},
	"another zone": {"code": "zone", "claims": _says({"submods": {"gce": {"zone": "us-central1-a"}}})},
	"zone absent": {"code": "zone", "claims": _silent("submods/gce/zone")},
	"another instance": {"code": "instance", "claims": _says({"submods": {"gce": {"instance_id": "1"}}})},
	"instance absent": {"code": "instance", "claims": _silent("submods/gce/instance_id")},
	"other hardware": {"code": "hardware", "claims": _says({"hwmodel": "GCP_SHIELDED_VM"})},
	"hwmodel absent": {"code": "hardware", "claims": _silent("hwmodel")},
	"schema v2": {"code": "claims-schema", "claims": _says({"schema": "attestctl.claims/v2"})},
	"insecure option": {"code": "insecure-options", "claims": _says({"insecure": ["insecure-shared-audience"]})},
}

test_token_below_the_floor if {
	config := object.union(_floor("GCP_AMD_SEV_SNP"), {"google_tokens": true})
	_decide(_token, config) == {"allow": false, "codes": {"technology-floor"}}
}

# Without the setting a token is refused for what it is, and for nothing else.
test_token_where_none_will_do[note] if {
	some note, config in {"absent": _config, "false": object.union(_config, {"google_tokens": false})}
	_decide(_token, config) == {"allow": false, "codes": {"token"}}
}

# No document with measurements is judged as a token, whatever becomes of them.
test_measurements_beside_a_token[note] if {
	some note, case in {
		"good": {"claims": object.union(_token, _genuine), "allow": true},
		"boot not ours": {
			"claims": object.union(_token, _secure_boot({"pk": {"certificates": [{"sha256": _other}]}})),
			"allow": false,
		},
		"boot taken out": {"claims": object.union(_token, _without("boot")), "allow": false},
		"TPM taken out": {"claims": object.union(_token, _without("tpm")), "allow": false},
		"TPM null": {"claims": _says({"tpm": null}), "allow": false},
		"boot empty": {"claims": _says({"boot": {}}), "allow": false},
		"report alone": {"claims": _says({"tee": {"bound_to": ["nonce", "ak"]}}), "allow": false},
	}
	_decide(case.claims, _both).allow == case.allow
	not "token" in _decide(case.claims, _both).codes
}

# A raw document does not become a token by saying so.
test_claims_of_a_token_alone_do_not_vouch[note] if {
	some note, claims in {
		"without the token": _silent("token"),
		"a text": _says({"token": "eyJ"}),
		"null": _says({"token": null}),
		"raw with an issuer": object.union(_without("boot"), {"iss": _issuer}),
	}
	not _decide(claims, _both).allow
}

test_raw_evidence_has_no_account if {
	config := object.union(_both, {"service_accounts": [_account]})
	_decide(_genuine, config) == {"allow": false, "codes": {"service-account"}}
}

test_raw_evidence_for_tokens_only[note] if {
	some note, config in {
		"neither": _tokens_only,
		"PK alone": json.remove(_both, ["secure_boot_db"]),
		"db alone": json.remove(_both, ["secure_boot_pk"]),
	}
	_decide(_genuine, config) == {"allow": false, "codes": {"config-boot"}}
}

test_token_denied_by_config[note] if {
	some note, config in {
		"as text": object.union(_config, {"google_tokens": "true"}),
		"as text, without boot keys": object.union(_tokens_only, {"google_tokens": "true"}),
		"false, without boot keys": object.union(_tokens_only, {"google_tokens": false}),
		"account as text": object.union(_both, {"service_accounts": _account}),
		"no account": object.union(_both, {"service_accounts": []}),
	}
	_decide(_token, config) == {"allow": false, "codes": {"config"}}
}

test_denied_without_claims_where_tokens_will_do[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "token": {"token": {}}}
	decision := _decide(claims, _tokens_only)
	not decision.allow
	count(decision.codes) > 0
}

test_token_messages[code] if {
	some code, want in {
		"token": {
			"config": _config, "claims": _token,
			"msg": concat("; ", [
				"tpm is absent, want measurements, which no token carries",
				"to take the word of Google for them set google_tokens to true",
			]),
		},
		"token-issuer": {
			"config": _both, "claims": _says({"iss": "https://example.com"}),
			"msg": sprintf(`iss is "https://example.com", want "%s"; oemid is 11129, want 11129`, [_issuer]),
		},
		"service-account": {
			"config": object.union(_both, {"service_accounts": ["x@y"]}), "claims": _genuine,
			"msg": `google_service_accounts is absent, want one of service_accounts: ["x@y"]; only tokens name any`,
		},
	}
	reasons := attest.deny with input as want.claims with data.config as want.config
	reasons == {{"code": code, "msg": want.msg}}
}
