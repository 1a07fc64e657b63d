package attest_test

import data.attest

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

_key := "4a93c1ddeb1cff465b7c12eff120835fe690eeaaff9f85406a73ea7bd6110e26"

_other := "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"

_hex(text, times) := concat("", [text | some _ in numbers.range(1, times)])

_mrtd := _hex("a5844e88897b70c3", 6)

_seam := _hex("5b38e33a6487958b", 6)

_zero := _hex("00", 48)

_now := 1767225600

# Compute Engine, a quote of version 4 in an attestation of the vTPM.
_genuine := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"format": "attestation-proto",
	"verified_at": _now,
	"valid_until": 1768000000,
	"hwmodel": "GCP_INTEL_TDX",
	"swname": "GCE",
	"oemid": 11129,
	"attester_tcb": ["INTEL"],
	"submods": {"gce": {"project_id": "attestctl-forge", "zone": "us-central1-a", "instance_name": "forged-vm"}},
	"tpm": {"ak": {"trust": "certificate", "key_sha256": _key, "certificate": {"production": true}}},
	"tee": {"type": "TDX", "bound_to": ["nonce", "ak"], "binding": "sha512-nonce-ak-der", "tdx": _quote},
	"checks": {"tdx.signature": "pass"},
}

_quote := {
	"quote_version": 4,
	"attributes": {
		"debug": false, "sept_ve_disable": true, "migratable": false, "pks": false, "kl": false, "perfmon": false,
		"bits": "0000000010000000",
	},
	"xfam": "00000000000600e7",
	"mrseam": _seam,
	"mrsignerseam": _zero,
	"seam_attributes": "0000000000000000",
	"mrtd": _mrtd,
	"rtmr": [_hex("10", 48), _hex("11", 48), _hex("12", 48), _zero],
	"rtmr_replayed": [0, 1, 2],
	"mrconfigid": _zero,
	"mrowner": _hex("0e", 48),
	"mrownerconfig": _hex("0c", 48),
	"report_data": _hex("9d", 64),
	"tee_tcb_svn": "05010200000000000000000000000000",
	"tcb_status": "UpToDate",
	"tcb": {
		"platform_status": "UpToDate", "module_status": "UpToDate", "qe_status": "UpToDate", "advisory_ids": [],
		"tcb_evaluation_data_number": 17, "tcb_date": 1715000000, "issued": 1767000000, "next_update": 1769600000,
	},
	"qe": {"mrsigner": _other, "mrenclave": _key, "isv_prod_id": 2, "isv_svn": 8},
	"pck": {
		"sha256": _other, "fmspc": "90c06f000000", "pceid": "0000", "pcesvn": 13, "ca": "platform",
		"not_after": 1900000000, "ppid_sha256": _key, "platform_instance_id": _hex("ab", 16), "root_sha256": _other,
	},
}

# Only what must be there.
_least := {"mrtds": [_mrtd], "any_machine": true}

_config := {
	"mrtds": [_hex("6f", 48), _mrtd],
	"rtmrs": {"0": [_hex("10", 48)], "1": [_hex("11", 48)], "2": [_hex("12", 48), _zero], "3": [_zero]},
	"mrseams": [_seam],
	"mrsignerseams": [_zero],
	"attributes": {"pks": false, "kl": false},
	"xfams": ["00000000000600e7"],
	"mrconfigids": [_zero],
	"mrowners": [_hex("0e", 48)],
	"mrownerconfigs": [_hex("0c", 48)],
	"project_ids": ["attestctl-forge"],
	"ak_keys": [_key],
	"bound_to": ["nonce", "ak"],
	"tcb_statuses": ["UpToDate", "SWHardeningNeeded"],
	"accept_advisories": ["INTEL-SA-00837"],
	"min_tcb_evaluation_data_number": 17,
	"max_collateral_age": 225600,
	"min_tee_tcb_svn": "05010200000000000000000000000000",
	"fmspcs": ["90c06f000000"],
	"platform_instance_ids": [_hex("ab", 16)],
	"ppid_sha256s": [_key],
}

_with(change) := object.union(_genuine, change)

_without(path) := json.remove(_genuine, [path])

_tee(change) := _with({"tee": change})

_tdx(change) := _tee({"tdx": change})

_attribute(change) := _tdx({"attributes": change})

_tcb(change) := _tdx({"tcb": change})

_and(change) := object.union(_config, change)

_hardening(advisories) := _tdx({"tcb_status": "SWHardeningNeeded", "tcb": {"advisory_ids": advisories}})

_unchecked := json.remove(_tdx({"tcb_status": "unchecked"}), ["tee/tdx/tcb"])

test_allowed[note] if {
	some note, case in {
		"as configured": {"claims": _genuine, "config": _config},
		"by the least configuration": {"claims": _genuine, "config": _least},
		"raw quote": {
			"claims": json.remove(_tee({"bound_to": ["nonce"]}), ["tpm", "submods", "hwmodel", "oemid"]),
			"config": object.union(_least, {"bound_to": ["nonce"]}),
		},
		"hardening needed, advisory accepted": {"claims": _hardening(["INTEL-SA-00837"]), "config": _config},
		"hardening needed, no advisory": {"claims": _hardening([]), "config": _config},
		"up to date, whatever was advised": {"claims": _tcb({"advisory_ids": ["INTEL-SA-00615"]}), "config": _least},
		"performance monitoring": {
			"claims": _attribute({"perfmon": true}),
			"config": _and({"attributes": {"perfmon": true}}),
		},
		"#VE in the guest": {
			"claims": _attribute({"sept_ve_disable": false}),
			"config": _and({"attributes": {"sept_ve_disable": false}}),
		},
		"attributes nobody asked about": {"claims": _attribute({"pks": true, "kl": true}), "config": _least},
		"another's module": {
			"claims": _tdx({"mrsignerseam": _seam}),
			"config": _and({"mrsignerseams": [_zero, _seam]}),
		},
		"later updates": {"claims": _tcb({"tcb_evaluation_data_number": 18}), "config": _config},
		"younger collateral": {"claims": _tcb({"issued": _now}), "config": _config},
		"later module": {"claims": _tdx({"tee_tcb_svn": "06020b000000000000000000000000ff"}), "config": _config},
		"either value of a register": {
			"claims": _tdx({"rtmr": [_hex("10", 48), _hex("11", 48), _zero, _zero]}),
			"config": _config,
		},
		"processor without instance": {
			"claims": _without("tee/tdx/pck/platform_instance_id"),
			"config": json.remove(_config, ["platform_instance_ids"]),
		},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

# Each change of the claims is refused, by one rule alone.
test_denied_binding[note] if {
	some note, case in _binding_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_domain[note] if {
	some note, case in _domain_cases
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
	"insecure of another type": {"code": "insecure-options", "claims": _with({"insecure": {}})},
	"an SEV-SNP report": {"code": "tee-type", "claims": _tee({"type": "SEV_SNP"})},
	"type of another type": {"code": "tee-type", "claims": _tee({"type": ["TDX"]})},
	"type absent": {"code": "tee-type", "claims": _without("tee/type")},
	"not bound to ak": {"code": "bound-to", "claims": _tee({"bound_to": ["nonce"]})},
	"not bound to nonce": {"code": "bound-to", "claims": _tee({"bound_to": ["ak"]})},
	"bound to nothing": {"code": "bound-to", "claims": _tee({"bound_to": []})},
	"bound absent": {"code": "bound-to", "claims": _without("tee/bound_to")},
	"another's project": {"code": "project", "claims": _with({"submods": {"gce": {"project_id": "someone-else"}}})},
	"project absent": {"code": "project", "claims": _without("submods/gce/project_id")},
	"not certified": {"code": "project", "claims": _with({"tpm": {"ak": {"trust": "pinned"}}})},
	"another key": {"code": "ak-key", "claims": _with({"tpm": {"ak": {"key_sha256": _other}}})},
	"key absent": {"code": "ak-key", "claims": _without("tpm/ak/key_sha256")},
}

_domain_cases := {
	"another MRTD": {"code": "mrtd", "claims": _tdx({"mrtd": _zero})},
	"MRTD with more behind": {"code": "mrtd", "claims": _tdx({"mrtd": concat("", [_mrtd, "00"])})},
	"MRTD absent": {"code": "mrtd", "claims": _without("tee/tdx/mrtd")},
	"MRTD of another type": {"code": "mrtd", "claims": _tdx({"mrtd": [_mrtd]})},
	"another register": {"code": "rtmr", "claims": _tdx({"rtmr": [_hex("10", 48), _zero, _hex("12", 48), _zero]})},
	"register missing": {"code": "rtmr", "claims": _tdx({"rtmr": [_hex("10", 48), _hex("11", 48), _hex("12", 48)]})},
	"registers absent": {"code": "rtmr", "claims": _without("tee/tdx/rtmr")},
	"registers of another type": {"code": "rtmr", "claims": _tdx({"rtmr": {"0": _hex("10", 48)}})},
	"debug": {"code": "debug", "claims": _attribute({"debug": true})},
	"debug absent": {"code": "debug", "claims": _without("tee/tdx/attributes/debug")},
	"debug of another type": {"code": "debug", "claims": _attribute({"debug": 0})},
	"#VE in the guest": {"code": "attribute", "claims": _attribute({"sept_ve_disable": false})},
	"#VE absent": {"code": "attribute", "claims": _without("tee/tdx/attributes/sept_ve_disable")},
	"migratable": {"code": "attribute", "claims": _attribute({"migratable": true})},
	"migratable absent": {"code": "attribute", "claims": _without("tee/tdx/attributes/migratable")},
	"performance monitoring": {"code": "attribute", "claims": _attribute({"perfmon": true})},
	"attribute of the configuration": {"code": "attribute", "claims": _attribute({"pks": true})},
	"attribute of another type": {"code": "attribute", "claims": _attribute({"kl": "false"})},
	"other features": {"code": "xfam", "claims": _tdx({"xfam": "00000000000600ff"})},
	"features absent": {"code": "xfam", "claims": _without("tee/tdx/xfam")},
	"another configuration": {"code": "mrconfigid", "claims": _tdx({"mrconfigid": _mrtd})},
	"configuration absent": {"code": "mrconfigid", "claims": _without("tee/tdx/mrconfigid")},
	"another owner": {"code": "mrowner", "claims": _tdx({"mrowner": _zero})},
	"owner absent": {"code": "mrowner", "claims": _without("tee/tdx/mrowner")},
	"another owner's configuration": {"code": "mrownerconfig", "claims": _tdx({"mrownerconfig": _zero})},
	"owner's configuration absent": {"code": "mrownerconfig", "claims": _without("tee/tdx/mrownerconfig")},
}

_platform_cases := {
	"another module": {"code": "mrseam", "claims": _tdx({"mrseam": _zero})},
	"module absent": {"code": "mrseam", "claims": _without("tee/tdx/mrseam")},
	"another's module": {"code": "mrsignerseam", "claims": _tdx({"mrsignerseam": _seam})},
	"signer absent": {"code": "mrsignerseam", "claims": _without("tee/tdx/mrsignerseam")},
	"special module": {"code": "seam-attributes", "claims": _tdx({"seam_attributes": "0000000000000001"})},
	"special module absent": {"code": "seam-attributes", "claims": _without("tee/tdx/seam_attributes")},
	"special module empty": {"code": "seam-attributes", "claims": _tdx({"seam_attributes": ""})},
	"special module of another type": {"code": "seam-attributes", "claims": _tdx({"seam_attributes": 0})},
	"no collateral": {"code": "tcb-status", "claims": _unchecked},
	"out of date": {"code": "tcb-status", "claims": _tdx({"tcb_status": "OutOfDate"})},
	"revoked": {"code": "tcb-status", "claims": _tdx({"tcb_status": "Revoked"})},
	"status absent": {"code": "tcb-status", "claims": _without("tee/tdx/tcb_status")},
	"status of another type": {"code": "tcb-status", "claims": _tdx({"tcb_status": ["UpToDate"]})},
	"another advisory": {"code": "advisory", "claims": _hardening(["INTEL-SA-00837", "INTEL-SA-00615"])},
	"advisories absent": {"code": "advisory", "claims": _without("tee/tdx/tcb/advisory_ids")},
	"advisories of another type": {"code": "advisory", "claims": _tcb({"advisory_ids": "INTEL-SA-00837"})},
	"old collateral": {"code": "tcb-evaluation", "claims": _tcb({"tcb_evaluation_data_number": 16})},
	"round absent": {"code": "tcb-evaluation", "claims": _without("tee/tdx/tcb/tcb_evaluation_data_number")},
	"round of another type": {"code": "tcb-evaluation", "claims": _tcb({"tcb_evaluation_data_number": "99"})},
	"stale collateral": {"code": "collateral-age", "claims": _tcb({"issued": 1766999999})},
	"collateral of tomorrow": {"code": "collateral-age", "claims": _tcb({"issued": _now + 1})},
	"issued absent": {"code": "collateral-age", "claims": _without("tee/tdx/tcb/issued")},
	"issued of another type": {"code": "collateral-age", "claims": _tcb({"issued": "1767000000"})},
	"no clock": {"code": "collateral-age", "claims": _without("verified_at")},
	"module below": {"code": "tee-tcb-svn", "claims": _tdx({"tee_tcb_svn": "04010200000000000000000000000000"})},
	"a byte below": {"code": "tee-tcb-svn", "claims": _tdx({"tee_tcb_svn": "ffff0100000000000000000000000000"})},
	"too short": {"code": "tee-tcb-svn", "claims": _tdx({"tee_tcb_svn": "0501020000000000000000000000"})},
	"no hex": {"code": "tee-tcb-svn", "claims": _tdx({"tee_tcb_svn": _hex("zz", 16)})},
	"TCB SVN absent": {"code": "tee-tcb-svn", "claims": _without("tee/tdx/tee_tcb_svn")},
	"another kind of platform": {"code": "fmspc", "claims": _tdx({"pck": {"fmspc": "50806f000000"}})},
	"kind absent": {"code": "fmspc", "claims": _without("tee/tdx/pck/fmspc")},
	"another platform": {
		"code": "platform-instance",
		"claims": _tdx({"pck": {"platform_instance_id": _hex("ac", 16)}}),
	},
	"platform absent": {"code": "platform-instance", "claims": _without("tee/tdx/pck/platform_instance_id")},
	"another processor": {"code": "ppid", "claims": _tdx({"pck": {"ppid_sha256": _other}})},
	"processor absent": {"code": "ppid", "claims": _without("tee/tdx/pck/ppid_sha256")},
}

# What the configuration could allow is refused where it does not.
test_denied_by_default[note] if {
	some note, case in {
		"no collateral": {"code": "tcb-status", "claims": _unchecked},
		"hardening needed": {"code": "tcb-status", "claims": _hardening([])},
		"#VE in the guest": {"code": "attribute", "claims": _attribute({"sept_ve_disable": false})},
		"migratable": {"code": "attribute", "claims": _attribute({"migratable": true})},
		"performance monitoring": {"code": "attribute", "claims": _attribute({"perfmon": true})},
		"another's module": {"code": "mrsignerseam", "claims": _tdx({"mrsignerseam": _seam})},
		"raw quote": {"code": "bound-to", "claims": _tee({"bound_to": ["nonce"]})},
	}
	_decide(case.claims, _least) == {"allow": false, "codes": {case.code}}
}

test_denied_advisory_that_nothing_accepts if {
	config := json.remove(_config, ["accept_advisories"])
	_decide(_hardening(["INTEL-SA-00837"]), config) == {"allow": false, "codes": {"advisory"}}
}

test_messages[note] if {
	some note, case in {
		"register": {
			"claims": _tdx({"rtmr": [_hex("10", 48), _zero, _hex("12", 48), _zero]}),
			"msg": sprintf(`tee.tdx.rtmr[1] is "%s", want one of rtmrs: ["%s"]`, [_zero, _hex("11", 48)]),
		},
		"attribute": {"claims": _attribute({"perfmon": true}), "msg": "tee.tdx.attributes.perfmon is true, want false"},
		"status": {
			"claims": _unchecked,
			"msg": `tee.tdx.tcb_status is "unchecked", want one of tcb_statuses: ["UpToDate", "SWHardeningNeeded"]`,
		},
		"age": {
			"claims": _tcb({"issued": 1766999999}),
			"msg": "tee.tdx.tcb.issued is 1766999999, want not more than 225600 seconds before 1767225600",
		},
	}
	reasons := {reason.msg | some reason in attest.deny} with input as case.claims with data.config as _config
	reasons == {case.msg}
}

test_denied_by_config[note] if {
	some note, case in {
		"none": {"code": "config", "config": {}},
		"null": {"code": "config", "config": null},
		"misspelt": {"code": "config", "config": _and({"mrtd": [_mrtd]})},
		"without MRTDs": {"code": "config", "config": json.remove(_config, ["mrtds"])},
		"no MRTD": {"code": "config", "config": _and({"mrtds": []})},
		"empty MRTD": {"code": "config", "config": _and({"mrtds": [""]})},
		"MRTD of zeros": {"code": "config", "config": _and({"mrtds": [_zero]})},
		"register without values": {"code": "config", "config": _and({"rtmrs": {"0": []}})},
		"fifth register": {"code": "config", "config": _and({"rtmrs": {"4": [_zero]}})},
		"unchecked status": {"code": "config", "config": _and({"tcb_statuses": ["UpToDate", "unchecked"]})},
		"revoked status": {"code": "config", "config": _and({"tcb_statuses": ["Revoked"]})},
		"no status": {"code": "config", "config": _and({"tcb_statuses": []})},
		"debug as an attribute": {"code": "config", "config": _and({"attributes": {"debug": true}})},
		"no age": {"code": "config", "config": _and({"max_collateral_age": 0})},
		"age as text": {"code": "config", "config": _and({"max_collateral_age": "30d"})},
		"short SVN": {"code": "config", "config": _and({"min_tee_tcb_svn": "0501"})},
		"no signer": {"code": "config", "config": _and({"mrsignerseams": [""]})},
		"nobody's machines": {
			"code": "config-identity",
			"config": json.remove(_config, ["project_ids", "ak_keys", "platform_instance_ids", "ppid_sha256s"]),
		},
		"not any machine": {"code": "config-identity", "config": object.union(_least, {"any_machine": false})},
		"project without binding": {
			"code": "config-unbound",
			"config": object.union(json.remove(_config, ["bound_to", "ak_keys"]), {"bound_to": ["nonce"]}),
		},
		"key without binding": {
			"code": "config-unbound",
			"config": object.union(json.remove(_config, ["bound_to", "project_ids"]), {"bound_to": ["report_data"]}),
		},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

# Whatever says which machine is meant will do.
test_identity_by[setting] if {
	some setting in ["project_ids", "ak_keys", "platform_instance_ids", "ppid_sha256s"]
	config := {"mrtds": [_mrtd], setting: _config[setting]}
	_decide(_genuine, config) == {"allow": true, "codes": set()}
}

# Evidence without a quote is told so, and nothing of what is not in it.
test_denied_without_quote if {
	_decide(_without("tee"), _config) == {"allow": false, "codes": {"tee-type"}}
}

test_denied_quote_of_nothing if {
	_decide(_without("tee/tdx"), _least) == {
		"allow": false,
		"codes": {"mrtd", "debug", "attribute", "mrsignerseam", "seam-attributes", "tcb-status"},
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
	reasons == {{"code": "token", "msg": "tee is absent, want a quote of the hardware, which no token carries"}}
	not attest.allow with input as _token with data.config as config
}

# A token beside measurements changes nothing, and one without its own claims is none.
test_token_beside if {
	_decide(object.union(_genuine, {"token": {}}), _config) == {"allow": true, "codes": set()}
	not _decide(json.remove(_token, ["token"]), _config).allow
	not "token" in _decide(json.remove(_token, ["token"]), _config).codes
}
