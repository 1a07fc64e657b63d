package attest_test

import data.attest

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

_db := "93b967e5b91b2bdc45720f8f269afd2f42735dec97845e4e9c8f4fe042badbb5"

_key := "4a93c1ddeb1cff465b7c12eff120835fe690eeaaff9f85406a73ea7bd6110e26"

_other := "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"

_pcr4 := "be694679a92a6e3594494475290cf7ae1bb5c41afb2ac05159595669ad2b1c98"

_pcr8 := "ac914f19c2de1c632e7d9fb275fb0d944b965c7b3ba5fbf4998043a4e5094446"

_app := "971a27e7891000400873589d34d453ab5f4e0a8a96bc5b1cd489d4da5872d7c7"

_genuine := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"secboot": true,
	"oemid": 11129,
	"submods": {"gce": {"project_id": "attestctl-forge"}},
	"tpm": {
		"ak": {"trust": "certificate", "key_sha256": _key, "certificate": {"production": true}},
		"banks": ["sha256"],
		"pcrs": {"sha256": object.union(
			{i: "00" | some i in ["0", "1", "2", "3", "5", "6", "7", "9", "14"]},
			{"4": _pcr4, "8": _pcr8},
		)},
	},
	"boot": {
		"bank": "sha256",
		"complete": true,
		"efi_apps": [{"digest": _app}],
		"kernel": {"command_line": "/vmlinuz ro"},
		"secure_boot": {"enabled": true, "db": {"certificates": [{"sha256": _db}]}},
	},
}

_config := {
	"project_ids": ["attestctl-forge"],
	"pcrs": {"sha256": {"4": [_other, _pcr4], "8": [_pcr8]}},
	"efi_apps": [_app],
	"command_lines": ["/vmlinuz ro"],
	"secure_boot_db": [_db],
}

_with(change) := object.union(_genuine, change)

_without(path) := json.remove(_genuine, [path])

_boot(change) := _with({"boot": change})

_pcrs(change) := _with({"tpm": {"pcrs": {"sha256": change}}})

_by_key := object.union(json.remove(_config, ["project_ids"]), {"ak_keys": [_key]})

test_allowed[note] if {
	some note, case in {
		"as configured": {"claims": _genuine, "config": _config},
		"by key": {"claims": _genuine, "config": _by_key},
		"pinned key": {
			"claims": json.remove(_with({"tpm": {"ak": {"trust": "pinned"}}}), ["submods", "oemid"]),
			"config": object.union(_config, {"ak_keys": [_key]}),
		},
		"PCRs only": {
			"claims": json.remove(_genuine, ["boot/efi_apps", "boot/kernel", "boot/secure_boot"]),
			"config": json.remove(_config, ["efi_apps", "command_lines", "secure_boot_db"]),
		},
		"IMA in PCR 10": {
			"claims": _boot({"unexplained_pcrs": [10]}),
			"config": object.union(_config, {"unexplained_pcrs": [10, 11]}),
		},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

# Each change of the claims is refused, by one rule alone.
test_denied[note] if {
	some note, case in {
		"schema v2": {"code": "claims-schema", "claims": _with({"schema": "attestctl.claims/v2"})},
		"schema absent": {"code": "claims-schema", "claims": _without("schema")},
		"logged": {"code": "logged", "claims": _with({"nonce_source": "log"})},
		"nonce source absent": {"code": "logged", "claims": _without("nonce_source")},
		"insecure option": {"code": "insecure-options", "claims": _with({"insecure": ["insecure-no-event-log"]})},
		"insecure of another type": {"code": "insecure-options", "claims": _with({"insecure": {}})},
		"another's project": {"code": "identity", "claims": _with({"submods": {"gce": {"project_id": "someone-else"}}})},
		"project absent": {"code": "identity", "claims": _without("submods")},
		"project of another type": {"code": "identity", "claims": _with({"submods": {"gce": {"project_id": []}}})},
		"not certified": {"code": "identity", "claims": _with({"tpm": {"ak": {"trust": "pinned"}}})},
		"incomplete": {"code": "boot-incomplete", "claims": _boot({"complete": false})},
		"complete absent": {"code": "boot-incomplete", "claims": _without("boot/complete")},
		"PCR 0 not quoted": {"code": "boot-incomplete", "claims": _without("tpm/pcrs/sha256/0")},
		"unexplained": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": [10]})},
		"unexplained of another type": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": 10})},
		"PCR 4": {"code": "pcr-value", "claims": _pcrs({"4": _pcr8})},
		"PCR 8": {"code": "pcr-value", "claims": _pcrs({"8": _other})},
		"PCR of another type": {"code": "pcr-value", "claims": _pcrs({"8": "0"})},
		"bank not verified": {"code": "pcr-value", "claims": _with({"tpm": {"banks": ["sha1"]}})},
		"another application": {"code": "efi-app", "claims": _boot({"efi_apps": [{"digest": _app}, {"digest": _other}]})},
		"no application": {"code": "efi-app", "claims": _boot({"efi_apps": []})},
		"applications absent": {"code": "efi-app", "claims": _without("boot/efi_apps")},
		"application without digest": {"code": "efi-app", "claims": _boot({"efi_apps": [{}]})},
		"applications of another type": {"code": "efi-app", "claims": _boot({"efi_apps": {"a": {"digest": _app}}})},
		"another command line": {"code": "command-line", "claims": _boot({"kernel": {"command_line": "/vmlinuz rw"}})},
		"command line absent": {"code": "command-line", "claims": _without("boot/kernel")},
		"command line of another type": {
			"code": "command-line",
			"claims": _boot({"kernel": {"command_line": ["/vmlinuz ro"]}}),
		},
		"Secure Boot off": {"code": "secure-boot-db", "claims": _boot({"secure_boot": {"enabled": false}})},
		"owner in db": {
			"code": "secure-boot-db",
			"claims": _boot({"secure_boot": {"db": {"certificates": [{"sha256": _other}]}}}),
		},
		"db absent": {"code": "secure-boot-db", "claims": _without("boot/secure_boot/db")},
		"db of another type": {"code": "secure-boot-db", "claims": _boot({"secure_boot": {"db": [_db]}})},
	}
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_another_key[note] if {
	some note, claims in {
		"another": _with({"tpm": {"ak": {"key_sha256": _other}}}),
		"absent": _without("tpm/ak/key_sha256"),
		"of another type": _with({"tpm": {"ak": {"key_sha256": [_key]}}}),
	}
	_decide(claims, _by_key) == {"allow": false, "codes": {"identity"}}
}

# Everything that differs is told at once, a PCR at a time.
test_every_pcr_is_told if {
	reasons := {reason.msg | some reason in attest.deny} with input as _pcrs({"4": "11", "8": "22"})
		with data.config as json.remove(_config, ["efi_apps", "command_lines"])
	reasons == {
		sprintf(`tpm.pcrs.sha256.4 is "11", want one of pcrs: ["%s", "%s"]`, [_other, _pcr4]),
		sprintf(`tpm.pcrs.sha256.8 is "22", want one of pcrs: ["%s"]`, [_pcr8]),
	}
}

test_denied_by_config[note] if {
	some note, case in {
		"none": {"code": "config", "config": {}},
		"null": {"code": "config", "config": null},
		"nobody's machines": {"code": "config-identity", "config": json.remove(_config, ["project_ids"])},
		"applications without PCR 4": {"code": "config-unpinned", "config": json.remove(_config, ["pcrs/sha256/4"])},
		"command line without PCR 8": {"code": "config-unpinned", "config": json.remove(_config, ["pcrs/sha256/8"])},
		"without pcrs": {"code": "config", "config": json.remove(_config, ["pcrs"])},
		"no bank": {"code": "config", "config": object.union(json.remove(_config, ["pcrs"]), {"pcrs": {}})},
		"misspelt": {"code": "config", "config": object.union(_config, {"command_line": ["/vmlinuz ro"]})},
		"application of no digest": {"code": "config", "config": object.union(_config, {"efi_apps": ["shim"]})},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

test_denied_without_claims[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "number": 1, "true": true, "false": false}
	decision := _decide(claims, _config)
	not decision.allow
	wanted := {"claims-schema", "identity", "boot-incomplete", "pcr-value", "efi-app", "command-line", "secure-boot-db"}
	wanted & decision.codes == wanted
}

_token := object.union(
	json.remove(_genuine, ["tpm", "boot", "tee"]),
	{"format": "jwt", "iss": "https://confidentialcomputing.googleapis.com", "token": {}},
)

# A token is refused for what it is, in words that say so.
test_denied_token[note] if {
	some note, config in {"as configured": _config, "by key": _by_key}
	reasons := attest.deny with input as _token with data.config as config
	reasons == {{"code": "token", "msg": "tpm is absent, want measurements, which no token carries"}}
	not attest.allow with input as _token with data.config as config
}

# A token beside measurements changes nothing, and one without its own claims is none.
test_token_beside if {
	_decide(object.union(_genuine, {"token": {}}), _config) == {"allow": true, "codes": set()}
	not _decide(json.remove(_token, ["token"]), _config).allow
	not "token" in _decide(json.remove(_token, ["token"]), _config).codes
}
