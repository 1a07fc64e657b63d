package attest_test

import data.attest

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

_key := "4a93c1ddeb1cff465b7c12eff120835fe690eeaaff9f85406a73ea7bd6110e26"

_other := "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"

_hex(text, times) := concat("", [text | some _ in numbers.range(1, times)])

_launched := _hex("5f3c1e0b8d7a4926", 6)

_id_key := _hex("1d", 48)

_author_key := _hex("a7", 48)

_chip := _hex("c41b", 32)

_old := {"bootloader": 4, "tee": 0, "snp": 22, "microcode": 213}

_new := {"bootloader": 4, "tee": 0, "snp": 24, "microcode": 219}

# Compute Engine, Milan, a report of version 5 in an attestation of the vTPM.
_genuine := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"format": "attestation-proto",
	"verified_at": 1767225600,
	"valid_until": 1800000000,
	"hwmodel": "GCP_AMD_SEV_SNP",
	"swname": "GCE",
	"oemid": 11129,
	"attester_tcb": ["AMD", "GOOGLE"],
	"submods": {"gce": {"project_id": "attestctl-forge", "zone": "us-central1-a", "instance_name": "forged-vm"}},
	"tpm": {"ak": {"trust": "certificate", "key_sha256": _key, "certificate": {"production": true}}},
	"tee": {"type": "SEV_SNP", "bound_to": ["nonce", "ak"], "binding": "sha512-nonce-ak-der", "snp": _report},
	"checks": {"snp.signature": "pass"},
}

_report := {
	"report_version": 5,
	"product": "Milan",
	"cpuid": {"family": 25, "model": 1, "stepping": 1},
	"policy": {
		"abi": "0.31", "smt": true, "migrate_ma": false, "debug": false, "single_socket": false, "cxl": false,
		"mem_aes_256_xts": false, "rapl_dis": false, "ciphertext_hiding": false, "page_swap_disable": false,
	},
	"vmpl": 0,
	"signing_key": "VCEK",
	"chip_key_masked": false,
	"author_key_enabled": true,
	"measurement": _launched,
	"host_data": _hex("00", 32),
	"report_data": _hex("9d", 64),
	"id_key_digest": _id_key,
	"author_key_digest": _author_key,
	"family_id": _hex("fa", 16),
	"image_id": _hex("1a", 16),
	"guest_svn": 7,
	"report_id": _hex("0b", 32),
	"report_id_ma": _hex("ff", 32),
	"tcb": {"reported": _new, "current": _new, "committed": _new, "launch": _old, "cert": _new},
	"provisional": false,
	"firmware": {"current": "1.55.40", "committed": "1.55.40"},
	"platform": {
		"smt": true, "tsme": true, "ecc": true, "rapl_disabled": false,
		"ciphertext_hiding": false, "alias_check": true, "tio": false,
	},
	"mitigation": {"launch": "0000000000000000", "current": "0000000000000001"},
	"chip_id": _chip,
	"certificate": {
		"sha256": _other, "serial": "0",
		"not_before": 1700000000, "not_after": 1900000000, "root_sha256": _other,
	},
	"revocation": "checked",
	"known_breaks": ["milan-vcek-seed"],
}

_turin := {"fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 70}

# Only what must be there.
_least := {
	"measurements": [_launched],
	"tcb_floors": {"Milan": _old},
	"accept_known_breaks": ["milan-vcek-seed"],
	"any_machine": true,
}

_config := {
	"measurements": [_other_launch, _launched],
	"tcb_floors": {"Milan": object.union(_old, {"snp": 23}), "Turin": _turin},
	"launch_tcb_floors": {"Milan": _old},
	"project_ids": ["attestctl-forge"],
	"ak_keys": [_key],
	"chip_ids": [_chip],
	"bound_to": ["nonce", "ak"],
	"vmpls": [0],
	"guest_policy": {"cxl": false, "smt": true},
	"host_data": [_hex("00", 32)],
	"id_key_digests": [_id_key],
	"author_key_digests": [_author_key],
	"family_ids": [_hex("fa", 16)],
	"image_ids": [_hex("1a", 16)],
	"min_guest_svn": 7,
	"signing_keys": ["VCEK", "VLEK"],
	"csp_ids": ["Google"],
	"platform": {"tsme": true, "ecc": true, "alias_check": true, "smt": true},
	"accept_unknown_platform_bits": ["40"],
	"accept_known_breaks": ["milan-vcek-seed"],
}

_other_launch := _hex("6f", 48)

_with(change) := object.union(_genuine, change)

_without(path) := json.remove(_genuine, [path])

_tee(change) := _with({"tee": change})

_snp(change) := _tee({"snp": change})

_tcb(which, change) := _snp({"tcb": {which: change}})

_and(change) := object.union(_config, change)

_vlek := _snp({"signing_key": "VLEK", "certificate": {"csp_id": "Google"}})

_on_turin := object.union(
	json.remove(_genuine, ["tee/snp/known_breaks"]),
	{"tee": {"snp": {
		"product": "Turin",
		"tcb": {"reported": _turin, "committed": _turin, "launch": _turin},
		"platform": {"unknown_bits": "0000000000000040"},
	}}},
)

test_allowed[note] if {
	some note, case in {
		"as configured": {"claims": _genuine, "config": _config},
		"by the least configuration": {"claims": _genuine, "config": _least},
		"raw report": {
			"claims": json.remove(_tee({"bound_to": ["nonce", "report_data"]}), ["tpm", "submods", "hwmodel", "oemid"]),
			"config": object.union(_least, {"bound_to": ["nonce"]}),
		},
		"Turin with its bit 6": {"claims": _on_turin, "config": _config},
		"VLEK": {"claims": _vlek, "config": _config},
		"masked VLEK": {
			"claims": json.remove(object.union(_vlek, {"tee": {"snp": {"chip_key_masked": true}}}), ["tee/snp/chip_id"]),
			"config": object.union(json.remove(_config, ["chip_ids"]), {"allow_masked_chip": true}),
		},
		"masking allowed and not used": {"claims": _genuine, "config": _and({"allow_masked_chip": true})},
		"migration": {"claims": _snp({"policy": {"migrate_ma": true}}), "config": _and({"allow_migration": true})},
		"provisional": {"claims": _snp({"provisional": true}), "config": _and({"allow_provisional": true})},
		"unchecked revocation": {
			"claims": _snp({"revocation": "unchecked"}),
			"config": _and({"allow_unchecked_revocation": true}),
		},
		"checked all the same": {"claims": _genuine, "config": _and({"allow_unchecked_revocation": true})},
		"VMPL 1": {"claims": _snp({"vmpl": 1}), "config": _and({"vmpls": [0, 1]})},
		"better than the floors": {
			"claims": _tcb("reported", {"microcode": 255, "tee": 1}),
			"config": _config,
		},
		"later guest": {"claims": _snp({"guest_svn": 8}), "config": _config},
		"platform bits of no value": {"claims": _snp({"platform": {"unknown_bits": "0"}}), "config": _least},
		"no known break": {
			"claims": _without("tee/snp/known_breaks"),
			"config": json.remove(_config, ["accept_known_breaks"]),
		},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

# Each change of the claims is refused, by one rule alone.
test_denied_binding[note] if {
	some note, case in _binding_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_guest[note] if {
	some note, case in _guest_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_platform[note] if {
	some note, case in _platform_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

_binding_cases := {
	"schema v2": {"code": "claims-schema", "claims": _with({"schema": "attestctl.claims/v2"})},
	"schema absent": {"code": "claims-schema", "claims": _without("schema")},
	"logged": {"code": "logged", "claims": _with({"nonce_source": "log"})},
	"nonce source absent": {"code": "logged", "claims": _without("nonce_source")},
	"insecure option": {"code": "insecure-options", "claims": _with({"insecure": ["insecure-short-nonce"]})},
	"insecure null": {"code": "insecure-options", "claims": _with({"insecure": null})},
	"a TDX quote": {"code": "tee-type", "claims": _tee({"type": "TDX"})},
	"type of another type": {"code": "tee-type", "claims": _tee({"type": ["SEV_SNP"]})},
	"type absent": {"code": "tee-type", "claims": _without("tee/type")},
	"not bound to ak": {"code": "bound-to", "claims": _tee({"bound_to": ["nonce"]})},
	"not bound to nonce": {"code": "bound-to", "claims": _tee({"bound_to": ["ak"]})},
	"bound to the user's bytes": {"code": "bound-to", "claims": _tee({"bound_to": ["report_data"]})},
	"bound to nothing": {"code": "bound-to", "claims": _tee({"bound_to": []})},
	"bound absent": {"code": "bound-to", "claims": _without("tee/bound_to")},
	"bound of another type": {
		"code": "bound-to",
		"claims": object.union(_without("tee/bound_to"), {"tee": {"bound_to": {"a": "nonce", "b": "ak"}}}),
	},
	"another's project": {"code": "project", "claims": _with({"submods": {"gce": {"project_id": "someone-else"}}})},
	"project absent": {"code": "project", "claims": _without("submods/gce/project_id")},
	"not certified": {"code": "project", "claims": _with({"tpm": {"ak": {"trust": "pinned"}}})},
	"another key": {"code": "ak-key", "claims": _with({"tpm": {"ak": {"key_sha256": _other}}})},
	"key absent": {"code": "ak-key", "claims": _without("tpm/ak/key_sha256")},
	"another chip": {"code": "chip", "claims": _snp({"chip_id": _hex("c41c", 32)})},
	"chip of zeros": {"code": "chip", "claims": _snp({"chip_id": _hex("00", 64)})},
}

_guest_cases := {
	"another measurement": {"code": "measurement", "claims": _snp({"measurement": _hex("00", 48)})},
	"measurement with more behind": {
		"code": "measurement",
		"claims": _snp({"measurement": concat("", [_launched, "00"])}),
	},
	"measurement absent": {"code": "measurement", "claims": _without("tee/snp/measurement")},
	"measurement of another type": {"code": "measurement", "claims": _snp({"measurement": [_launched]})},
	"VMPL 1": {"code": "vmpl", "claims": _snp({"vmpl": 1})},
	"asked for by the host": {"code": "vmpl", "claims": _snp({"vmpl": 4294967295})},
	"VMPL absent": {"code": "vmpl", "claims": _without("tee/snp/vmpl")},
	"VMPL of another type": {"code": "vmpl", "claims": _snp({"vmpl": "0"})},
	"debug": {"code": "debug", "claims": _snp({"policy": {"debug": true}})},
	"debug absent": {"code": "debug", "claims": _without("tee/snp/policy/debug")},
	"debug of another type": {"code": "debug", "claims": _snp({"policy": {"debug": 0}})},
	"migration agent": {"code": "migration", "claims": _snp({"policy": {"migrate_ma": true}})},
	"migration absent": {"code": "migration", "claims": _without("tee/snp/policy/migrate_ma")},
	"guest policy lets more": {"code": "guest-policy", "claims": _snp({"policy": {"cxl": true}})},
	"guest policy lets less": {"code": "guest-policy", "claims": _snp({"policy": {"smt": false}})},
	"guest policy absent": {"code": "guest-policy", "claims": _without("tee/snp/policy/cxl")},
	"other host data": {"code": "host-data", "claims": _snp({"host_data": _other})},
	"host data absent": {"code": "host-data", "claims": _without("tee/snp/host_data")},
	"another ID key": {"code": "id-key", "claims": _snp({"id_key_digest": _author_key})},
	"no ID block": {"code": "id-key", "claims": _snp({"id_key_digest": _hex("00", 48)})},
	"ID key absent": {"code": "id-key", "claims": _without("tee/snp/id_key_digest")},
	"another author key": {"code": "author-key", "claims": _snp({"author_key_digest": _id_key})},
	"author key absent": {"code": "author-key", "claims": _without("tee/snp/author_key_digest")},
	"author key not in use": {"code": "author-key", "claims": _snp({"author_key_enabled": false})},
	"author key in use absent": {"code": "author-key", "claims": _without("tee/snp/author_key_enabled")},
	"another family": {"code": "family-id", "claims": _snp({"family_id": _hex("1a", 16)})},
	"family absent": {"code": "family-id", "claims": _without("tee/snp/family_id")},
	"another image": {"code": "image-id", "claims": _snp({"image_id": _hex("fa", 16)})},
	"image absent": {"code": "image-id", "claims": _without("tee/snp/image_id")},
	"old guest": {"code": "guest-svn", "claims": _snp({"guest_svn": 6})},
	"guest SVN absent": {"code": "guest-svn", "claims": _without("tee/snp/guest_svn")},
	"guest SVN of another type": {"code": "guest-svn", "claims": _snp({"guest_svn": "9"})},
}

_platform_cases := {
	"another product": {"code": "product", "claims": _snp({"product": "Genoa"})},
	"product absent": {"code": "product", "claims": _without("tee/snp/product")},
	"product of another type": {"code": "product", "claims": _snp({"product": ["Milan"]})},
	"reported bootloader": {"code": "tcb-reported", "claims": _tcb("reported", {"bootloader": 3})},
	"reported tee": {"code": "tcb-reported", "claims": _tcb("reported", {"tee": -1})},
	"reported snp": {"code": "tcb-reported", "claims": _tcb("reported", {"snp": 22})},
	"reported microcode": {"code": "tcb-reported", "claims": _tcb("reported", {"microcode": 212})},
	"reported as text": {"code": "tcb-reported", "claims": _tcb("reported", {"snp": "zzz"})},
	"reported component absent": {"code": "tcb-reported", "claims": _without("tee/snp/tcb/reported/microcode")},
	"reported absent": {"code": "tcb-reported", "claims": _without("tee/snp/tcb/reported")},
	"committed snp": {"code": "tcb-committed", "claims": _tcb("committed", {"snp": 22})},
	"committed absent": {"code": "tcb-committed", "claims": _without("tee/snp/tcb/committed")},
	"launch snp": {"code": "tcb-launch", "claims": _tcb("launch", {"snp": 21})},
	"launch absent": {"code": "tcb-launch", "claims": _without("tee/snp/tcb/launch")},
	"Turin's FMC": {
		"code": "tcb-reported",
		"claims": object.union(_on_turin, {"tee": {"snp": {"tcb": {"reported": {"fmc": 0}}}}}),
	},
	"Turin without FMC": {"code": "tcb-committed", "claims": json.remove(_on_turin, ["tee/snp/tcb/committed/fmc"])},
	"provisional": {"code": "provisional", "claims": _snp({"provisional": true})},
	"provisional absent": {"code": "provisional", "claims": _without("tee/snp/provisional")},
	"unsigned": {"code": "signing-key", "claims": _snp({"signing_key": "none"})},
	"signing key absent": {"code": "signing-key", "claims": _without("tee/snp/signing_key")},
	"another provider's VLEK": {
		"code": "csp",
		"claims": object.union(_vlek, {"tee": {"snp": {"certificate": {"csp_id": "Elsewhere"}}}}),
	},
	"nobody's VLEK": {"code": "csp", "claims": json.remove(_vlek, ["tee/snp/certificate/csp_id"])},
	"masked key": {"code": "chip-masked", "claims": _snp({"chip_key_masked": true})},
	"masked key absent": {"code": "chip-masked", "claims": _without("tee/snp/chip_key_masked")},
	"platform": {"code": "platform", "claims": _snp({"platform": {"tsme": false}})},
	"platform flag absent": {"code": "platform", "claims": _without("tee/snp/platform/alias_check")},
	"platform flag of another type": {"code": "platform", "claims": _snp({"platform": {"ecc": 1}})},
	"unknown bits": {"code": "platform-unknown", "claims": _snp({"platform": {"unknown_bits": "0000000000000400"}})},
	"more than the bits accepted": {"code": "platform-unknown", "claims": _snp({"platform": {"unknown_bits": "440"}})},
	"unknown bits of another type": {"code": "platform-unknown", "claims": _snp({"platform": {"unknown_bits": 64}})},
	"revocation unchecked": {"code": "revocation", "claims": _snp({"revocation": "unchecked"})},
	"revocation absent": {"code": "revocation", "claims": _without("tee/snp/revocation")},
	"a new break": {"code": "known-break", "claims": _snp({"known_breaks": ["milan-vcek-seed", "milan-worse"]})},
	"breaks of another type": {"code": "known-break", "claims": _snp({"known_breaks": "milan-vcek-seed"})},
}

# What the configuration could allow is refused where it does not.
test_denied_by_default[note] if {
	some note, case in {
		"VLEK": {"code": "signing-key", "claims": _vlek},
		"hidden chip": {"code": "chip-masked", "claims": _without("tee/snp/chip_id")},
		"genuine Turin's bit": {"code": "platform-unknown", "claims": _snp({"platform": {"unknown_bits": "40"}})},
		"no platform": {"code": "platform-unknown", "claims": _without("tee/snp/platform")},
		"raw report": {"code": "bound-to", "claims": _tee({"bound_to": ["nonce"]})},
		"launched below the floor": {"code": "tcb-launch", "claims": _tcb("launch", {"snp": 21})},
	}
	_decide(case.claims, _least) == {"allow": false, "codes": {case.code}}
}

test_denied_broken_product if {
	config := json.remove(_config, ["accept_known_breaks"])
	_decide(_genuine, config) == {"allow": false, "codes": {"known-break"}}
}

# What a setting allows is allowed where the claim says it, not where nothing does.
test_denied_absent_although_allowed[note] if {
	some note, case in {
		"allow_migration": {"code": "migration", "claim": "tee/snp/policy/migrate_ma"},
		"allow_provisional": {"code": "provisional", "claim": "tee/snp/provisional"},
		"allow_unchecked_revocation": {"code": "revocation", "claim": "tee/snp/revocation"},
		"allow_masked_chip": {"code": "chip-masked", "claim": "tee/snp/chip_key_masked"},
	}
	_decide(_without(case.claim), _and({note: true})) == {"allow": false, "codes": {case.code}}
}

# Everything that is below its floor is told at once, a component at a time.
test_every_component_is_told if {
	reasons := {reason.msg | some reason in attest.deny} with input as _tcb("reported", {"snp": 9, "microcode": 72})
		with data.config as _config
	reasons == {
		"tee.snp.tcb.reported.snp is 9, want 23 or more",
		"tee.snp.tcb.reported.microcode is 72, want 213 or more",
	}
}

test_messages[note] if {
	some note, case in {
		"platform": {"claims": _snp({"platform": {"tsme": false}}), "msg": "tee.snp.platform.tsme is false, want true"},
		"guest policy": {"claims": _without("tee/snp/policy/cxl"), "msg": "tee.snp.policy.cxl is absent, want false"},
		"product": {
			"claims": _snp({"product": "Genoa"}),
			"msg": `tee.snp.product is "Genoa", want one of tcb_floors: ["Milan", "Turin"]`,
		},
		"guest SVN": {"claims": _snp({"guest_svn": 6}), "msg": "tee.snp.guest_svn is 6, want 7 or more"},
		"revocation": {"claims": _without("tee/snp/revocation"), "msg": `tee.snp.revocation is absent, want "checked"`},
	}
	reasons := {reason.msg | some reason in attest.deny} with input as case.claims with data.config as _config
	reasons == {case.msg}
}

# Evidence without a report is told so, and nothing of what is not in it.
test_denied_without_report if {
	claims := json.remove(_genuine, ["tee"])
	_decide(claims, _config) == {"allow": false, "codes": {"tee-type"}}
}

test_denied_report_of_nothing if {
	claims := json.remove(_genuine, ["tee/snp"])
	decision := _decide(claims, _least)
	not decision.allow
	decision.codes == {
		"measurement", "vmpl", "debug", "migration", "product", "provisional",
		"signing-key", "chip-masked", "platform-unknown", "revocation", "known-break",
	}
}

test_denied_without_claims[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "number": 1, "true": true, "false": false}
	decision := _decide(claims, _config)
	not decision.allow
	wanted := {"claims-schema", "tee-type", "project", "ak-key"}
	wanted & decision.codes == wanted
}

_token := object.union(
	json.remove(_genuine, ["tpm", "boot", "tee"]),
	{"format": "jwt", "iss": "https://confidentialcomputing.googleapis.com", "token": {}},
)

# A token is refused for what it is, in words that say so.
test_denied_token[note] if {
	some note, config in {"as configured": _config, "least": _least}
	reasons := attest.deny with input as _token with data.config as config
	reasons == {{"code": "token", "msg": "tee is absent, want a report of the hardware, which no token carries"}}
	not attest.allow with input as _token with data.config as config
}

# A token beside measurements changes nothing, and one without its own claims is none.
test_token_beside if {
	_decide(object.union(_genuine, {"token": {}}), _config) == {"allow": true, "codes": set()}
	not _decide(json.remove(_token, ["token"]), _config).allow
	not "token" in _decide(json.remove(_token, ["token"]), _config).codes
}
