package attest_test

import data.attest

_issuer := "https://confidentialcomputing.googleapis.com"

_account := "424242424242-compute@developer.gserviceaccount.com"

_token := object.union(json.remove(_genuine, ["tpm", "boot"]), {
	"format": "jwt",
	"iss": _issuer,
	"aud": ["https://secrets.example"],
	"swversion": ["250800"],
	"dbgstat": "disabled-since-boot",
	"google_service_accounts": [_account],
	"submods": {"confidential_space": {
		"support_attributes": ["LATEST", "STABLE", "USABLE"],
		"monitoring_enabled": {"memory": false},
	}},
	"token": {"iss": _issuer, "swname": "CONFIDENTIAL_SPACE"},
})

_both := object.union(_config, {"google_tokens": true})

_tokens_only := json.remove(_both, ["pcrs", "secure_boot_pk", "secure_boot_db", "ak_roots"])

_says(change) := object.union(_token, change)

_silent(path) := json.remove(_token, [path])

_supported_as(value) := _says({"submods": {"confidential_space": {"support_attributes": value}}})

# What the token of a debug image has otherwise.
_debug := json.remove(_says({"dbgstat": "enabled"}), ["submods/confidential_space/support_attributes"])

# One configuration decides a token and the raw evidence of the same machine.
test_one_config_for_both if {
	_decide(_genuine, _both) == {"allow": true, "codes": set()}
	_decide(_token, _both) == {"allow": true, "codes": set()}
}

test_token_allowed[note] if {
	some note, case in {
		"without boot values": {"claims": _token, "config": _tokens_only},
		"SNP": {
			"claims": _says({"hwmodel": "GCP_AMD_SEV_SNP"}),
			"config": object.union(_both, {"hwmodels": ["GCP_AMD_SEV_SNP"]}),
		},
		"service account": {"claims": _token, "config": object.union(_both, {"service_accounts": [_account]})},
		"usable": {
			"claims": _supported_as(["USABLE"]),
			"config": object.union(_both, {"support_attributes": ["USABLE"]}),
		},
		"either": {
			"claims": _supported_as(["EXPERIMENTAL"]),
			"config": object.union(_both, {"support_attributes": ["STABLE", "EXPERIMENTAL"]}),
		},
		"nothing overridden": {
			"claims": json.remove(_token, ["submods/container/cmd_override", "submods/container/env_override"]),
			"config": _both,
		},
		"debug image, allowed": {"claims": _debug, "config": object.union(_both, {"debug_images": true})},
		"production where debug images are allowed": {
			"claims": _token,
			"config": object.union(_both, {"debug_images": true}),
		},
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
	"Intel": {"code": "token-issuer", "claims": _says({"iss": "https://portal.trustauthority.intel.com"})},
	"issuer absent": {"code": "token-issuer", "claims": _silent("iss")},
	"issuer not in the token": {"code": "token-issuer", "claims": _silent("token/iss")},
	"oemid absent": {"code": "token-issuer", "claims": _silent("oemid")},
	"Secure Boot off": {"code": "secure-boot", "claims": _says({"secboot": false})},
	"Secure Boot absent": {"code": "secure-boot", "claims": _silent("secboot")},
	"debug image": {"code": "debug-image", "claims": _says({"dbgstat": "enabled"})},
	"dbgstat absent": {"code": "debug-image", "claims": _silent("dbgstat")},
	"dbgstat null": {"code": "debug-image", "claims": _says({"dbgstat": null})},
	"dbgstat of another type": {"code": "debug-image", "claims": _says({"dbgstat": ["disabled-since-boot"]})},
	"dbgstat in upper case": {"code": "debug-image", "claims": _says({"dbgstat": "Disabled-Since-Boot"})},
	"only usable": {"code": "support-attributes", "claims": _supported_as(["USABLE"])},
	"experimental": {"code": "support-attributes", "claims": _supported_as(["EXPERIMENTAL"])},
	"no support attributes": {"code": "support-attributes", "claims": _supported_as([])},
	"support attributes as text": {"code": "support-attributes", "claims": _supported_as("STABLE")},
	"support attributes absent": {
		"code": "support-attributes",
		"claims": _silent("submods/confidential_space/support_attributes"),
	},
	"no Confidential Space": {"code": "support-attributes", "claims": _silent("submods/confidential_space")},
	"another account": {"code": "service-account", "claims": _says({"google_service_accounts": ["x@y"]})},
	"account absent": {"code": "service-account", "claims": _silent("google_service_accounts")},
	"another's project": {"code": "project", "claims": _says({"submods": {"gce": {"project_id": "someone-else"}}})},
	"another zone": {"code": "zone", "claims": _says({"submods": {"gce": {"zone": "us-central1-a"}}})},
	"other hardware": {"code": "hardware", "claims": _says({"hwmodel": "INTEL_TDX"})},
	"a plain machine": {"code": "software", "claims": _says({"swname": "GCE"})},
	"another image": {
		"code": "image",
		"claims": _says({"submods": {"container": {"image_digest": concat("", ["sha256:", _other])}}}),
	},
	"image absent": {"code": "image", "claims": _silent("submods/container/image_digest")},
	"restarts": {"code": "restart-policy", "claims": _says({"submods": {"container": {"restart_policy": "Always"}}})},
	"other arguments": {"code": "args", "claims": _says({"submods": {"container": {"args": ["/workload"]}}})},
	"args absent": {"code": "args", "claims": _silent("submods/container/args")},
	"command replaced": {
		"code": "cmd-override",
		"claims": _says({"submods": {"container": {"cmd_override": ["--dump"]}}}),
	},
	"variable set": {
		"code": "env-override",
		"claims": _says({"submods": {"container": {"env_override": {"DEBUG": "1"}}}}),
	},
	"schema absent": {"code": "claims-schema", "claims": _silent("schema")},
	"logged": {"code": "logged", "claims": _says({"nonce_source": "log"})},
	"nonce source absent": {"code": "logged", "claims": _silent("nonce_source")},
	"insecure option": {"code": "insecure-options", "claims": _says({"insecure": ["insecure-shared-audience"]})},
}

test_debug_image_has_no_support if {
	_decide(_debug, _both) == {"allow": false, "codes": {"debug-image", "support-attributes"}}
}

# Where debug images will do, one that does not say so must still be supported.
test_support_is_waived_for_debug_images_alone[note] if {
	some note, claims in {
		"production": json.remove(_debug, ["dbgstat"]),
		"says so": object.union(_debug, {"dbgstat": "disabled-since-boot"}),
	}
	_decide(claims, object.union(_both, {"debug_images": true})) == {"allow": false, "codes": {"support-attributes"}}
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
		"another command line": {"claims": object.union(_token, _pcrs({"8": _other})), "allow": false},
		"boot taken out": {"claims": object.union(_token, _without("boot")), "allow": false},
		"TPM taken out": {"claims": object.union(_token, _without("tpm")), "allow": false},
		"TPM null": {"claims": _says({"tpm": null}), "allow": false},
		"report alone": {"claims": _says({"tee": {"bound_to": ["nonce", "ak"]}}), "allow": false},
	}
	_decide(case.claims, _both).allow == case.allow
	not "token" in _decide(case.claims, _both).codes
}

# The raw evidence of the log of an image that is not pinned stays forgeable.
test_claims_of_a_token_alone_do_not_vouch[note] if {
	some note, claims in {
		"without the token": _silent("token"),
		"null": _says({"token": null}),
		"raw with an issuer": object.union(_without("boot"), {"iss": _issuer, "dbgstat": "disabled-since-boot"}),
	}
	not _decide(claims, _both).allow
}

test_raw_evidence_has_no_account if {
	config := object.union(_both, {"service_accounts": [_account]})
	_decide(_genuine, config) == {"allow": false, "codes": {"service-account"}}
}

# What the settings of tokens say is asked of tokens only.
test_raw_evidence_has_no_support_attributes if {
	_decide(_genuine, object.union(_both, {"support_attributes": ["LATEST"]})) == {"allow": true, "codes": set()}
}

test_raw_evidence_for_tokens_only[note] if {
	some note, config in {
		"none": _tokens_only,
		"without pcrs": json.remove(_both, ["pcrs"]),
		"without PK": json.remove(_both, ["secure_boot_pk"]),
		"without db": json.remove(_both, ["secure_boot_db"]),
	}
	_decide(_genuine, config) == {"allow": false, "codes": {"config-boot"}}
}

test_token_denied_by_config[note] if {
	some note, case in {
		"as text": {"code": "config", "config": object.union(_config, {"google_tokens": "true"})},
		"false, without pcrs": {"code": "config", "config": object.union(_tokens_only, {"google_tokens": false})},
		"PCR 4 alone": {"code": "config-pcrs", "config": object.union(_tokens_only, {"pcrs": {"sha256": {"4": [_pcr4]}}})},
		"support as text": {"code": "config", "config": object.union(_both, {"support_attributes": "STABLE"})},
		"no support": {"code": "config", "config": object.union(_both, {"support_attributes": []})},
		"no account": {"code": "config", "config": object.union(_both, {"service_accounts": []})},
	}
	_decide(_token, case.config) == {"allow": false, "codes": {case.code}}
}

test_denied_without_claims_where_tokens_will_do[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "token": {"token": {}}}
	decision := _decide(claims, _tokens_only)
	not decision.allow
	count(decision.codes) > 0
}

test_token_messages[code] if {
	some code, want in {
		"debug-image": {
			"claims": _silent("dbgstat"),
			"msg": `dbgstat is absent, want "disabled-since-boot"`,
		},
		"support-attributes": {
			"claims": _supported_as(["USABLE"]),
			"msg": `submods.confidential_space.support_attributes is ["USABLE"], want one of support_attributes: ["STABLE"]`,
		},
	}
	reasons := attest.deny with input as want.claims with data.config as _both
	reasons == {{"code": code, "msg": want.msg}}
}
