package attest_test

import data.attest

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

_project := "attestctl-forge"

_pk := "323ec92b08cdd09f3d8b8f3d246850072cfc8075bbe82f7dce0422acfe44a4e4"

_db := "93b967e5b91b2bdc45720f8f269afd2f42735dec97845e4e9c8f4fe042badbb5"

_root := "fe0b99d5163d2884e1be0500167c5c54e57f4db5941338baf1319d9a39f73a68"

_other := "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"

_genuine := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"hwmodel": "GCP_AMD_SEV",
	"swname": "GCE",
	"secboot": true,
	"oemid": 11129,
	"submods": {"gce": {
		"zone": "europe-west4-b",
		"project_id": _project,
		"instance_name": "forged-vm",
		"instance_id": "6797026933021542085",
	}},
	"tpm": {
		"ak": {"trust": "certificate", "certificate": {"root_sha256": _root, "production": true}},
		"pcrs": {"sha256": {i: "00" | some i in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "14"]}},
	},
	"boot": {
		"bank": "sha256",
		"complete": true,
		"uefi_debug": false,
		"dma_protection_disabled": false,
		"secure_boot": {
			"enabled": true,
			"pk": {"certificates": [{"type": "x509", "sha256": _pk}]},
			"db": {"certificates": [{"type": "x509", "sha256": _db}]},
			"dbx": {"hashes": [_other]},
			"authority": [
				{"variable": "db", "type": "x509", "sha256": _db},
				{"variable": "Shim", "type": "x509", "sha256": _other},
			],
			"mok": {"list_trusted": true},
		},
	},
}

_config := {
	"project_ids": [_project],
	"zones": ["europe-west4-b"],
	"instance_names": ["forged-vm"],
	"instance_ids": ["6797026933021542085"],
	"hwmodels": ["GCP_AMD_SEV"],
	"secure_boot_pk": [_pk],
	"secure_boot_db": [_db],
	"ak_roots": [_root],
}

# The configuration with a floor in place of a list.
_floor(technology) := object.union(json.remove(_config, ["hwmodels"]), {"technology_floor": technology})

_with(change) := object.union(_genuine, change)

_without(path) := json.remove(_genuine, [path])

_gce(change) := _with({"submods": {"gce": change}})

_boot(change) := _with({"boot": change})

_secure_boot(change) := _with({"boot": {"secure_boot": change}})

test_allowed[note] if {
	some note, case in {
		"as configured": {"claims": _genuine, "config": _config},
		"any root": {"claims": _genuine, "config": json.remove(_config, ["ak_roots"])},
		"by name": {"claims": _genuine, "config": json.remove(_config, ["instance_ids"])},
		"by ID": {"claims": _genuine, "config": json.remove(_config, ["instance_names"])},
		"any instance": {
			"claims": _gce({"instance_name": "other"}),
			"config": object.union(json.remove(_config, ["instance_ids", "instance_names"]), {"any_instance": true}),
		},
		"at the floor": {"claims": _genuine, "config": _floor("GCP_AMD_SEV")},
		"above the floor": {"claims": _reported("GCP_INTEL_TDX"), "config": _floor("GCP_AMD_SEV_ES")},
		"beside the floor": {"claims": _reported("GCP_AMD_SEV_SNP"), "config": _floor("GCP_INTEL_TDX")},
		"Shielded VM will do": {"claims": _with({"hwmodel": "GCP_SHIELDED_VM"}), "config": _floor("GCP_SHIELDED_VM")},
		"floor and list": {"claims": _genuine, "config": object.union(_config, {"technology_floor": "GCP_SHIELDED_VM"})},
		"IMA in PCR 10": {
			"claims": _boot({"unexplained_pcrs": [10]}),
			"config": object.union(_config, {"unexplained_pcrs": [10]}),
		},
		"without shim": {"claims": _without("boot/secure_boot/mok"), "config": _config},
		"shim told to check": {
			"claims": _secure_boot({"mok": {"validation_disabled": false}}),
			"config": _config,
		},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

# A machine with the report of its hardware, bound to nonce and key.
_reported(model) := _with({"hwmodel": model, "tee": {"bound_to": ["nonce", "ak"]}})

_bound_to(value) := object.union(_reported("GCP_AMD_SEV_SNP"), {"tee": {"bound_to": value}})

# The report of a machine beside the vTPM of another is bound to the nonce alone.
test_denied_unbound_report[note] if {
	some note, claims in {
		"nonce alone": _bound_to(["nonce"]),
		"key alone": _bound_to(["ak"]),
		"report data": _bound_to(["report_data"]),
		"nothing": _bound_to([]),
		"text": _bound_to("nonce ak"),
		"object": _bound_to({"nonce": "nonce", "ak": "ak"}),
		"null": _bound_to(null),
		"bound_to absent": json.remove(_reported("GCP_INTEL_TDX"), ["tee/bound_to"]),
		"no report": _with({"hwmodel": "GCP_INTEL_TDX"}),
	}
	_decide(claims, _floor("GCP_AMD_SEV")) == {"allow": false, "codes": {"tee-binding"}}
}

test_report_bound_as_configured[note] if {
	some note, case in {
		"nonce suffices": {"bound_to": ["nonce"], "want": ["nonce"], "allow": true},
		"more than asked for": {"bound_to": ["nonce", "ak"], "want": ["nonce"], "allow": true},
		"report data": {"bound_to": ["report_data"], "want": ["report_data"], "allow": true},
		"not the nonce": {"bound_to": ["report_data"], "want": ["nonce"], "allow": false},
	}
	config := object.union(_floor("GCP_AMD_SEV"), {"tee_bound_to": case.want})
	_decide(_bound_to(case.bound_to), config).allow == case.allow
}

# What has no report is asked for none, and a technology that nobody knows for one.
test_binding_by_technology[model] if {
	some model, codes in {
		"GCP_SHIELDED_VM": set(),
		"GCP_AMD_SEV": set(),
		"GCP_AMD_SEV_ES": set(),
		"GCP_AMD_SEV_SNP": {"tee-binding"},
		"GCP_INTEL_TDX": {"tee-binding"},
		"GCP_OF_TOMORROW": {"tee-binding"},
	}
	config := object.union(_config, {"hwmodels": [model]})
	_decide(_with({"hwmodel": model}), config).codes == codes
}

# Each change of the claims is refused, by one rule alone.
test_denied_identity[note] if {
	some note, case in _identity_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_boot[note] if {
	some note, case in _boot_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

_identity_cases := {
	"schema v2": {"code": "claims-schema", "claims": _with({"schema": "attestctl.claims/v2"})},
	"schema absent": {"code": "claims-schema", "claims": _without("schema")},
	"logged": {"code": "logged", "claims": _with({"nonce_source": "log"})},
	"nonce source absent": {"code": "logged", "claims": _without("nonce_source")},
	"schema of another type": {"code": "claims-schema", "claims": _with({"schema": 1})},
	"insecure option": {"code": "insecure-options", "claims": _with({"insecure": ["insecure-short-nonce"]})},
	"insecure null": {"code": "insecure-options", "claims": _with({"insecure": null})},
	"insecure of another type": {"code": "insecure-options", "claims": _with({"insecure": false})},
	"not production": {
		"code": "ak-trust",
		"claims": _with({"tpm": {"ak": {"certificate": {"production": false}}}}),
	},
	"another root": {"code": "ak-root", "claims": _with({"tpm": {"ak": {"certificate": {"root_sha256": _other}}}})},
	"root absent": {"code": "ak-root", "claims": _without("tpm/ak/certificate/root_sha256")},
	"root of another type": {"code": "ak-root", "claims": _with({"tpm": {"ak": {"certificate": {"root_sha256": 1}}}})},
	"Confidential Space": {"code": "software", "claims": _with({"swname": "CONFIDENTIAL_SPACE"})},
	"swname absent": {"code": "software", "claims": _without("swname")},
	"swname of another type": {"code": "software", "claims": _with({"swname": ["GCE"]})},
	"another's project": {"code": "project", "claims": _gce({"project_id": "someone-else"})},
	"project with our prefix": {"code": "project", "claims": _gce({"project_id": "attestctl-forge-evil"})},
	"project absent": {"code": "project", "claims": _without("submods/gce/project_id")},
	"project of another type": {"code": "project", "claims": _gce({"project_id": [_project]})},
	"another zone": {"code": "zone", "claims": _gce({"zone": "us-central1-a"})},
	"zone absent": {"code": "zone", "claims": _without("submods/gce/zone")},
	"zone of another type": {"code": "zone", "claims": _gce({"zone": null})},
	"another name": {"code": "instance", "claims": _gce({"instance_name": "other"})},
	"name absent": {"code": "instance", "claims": _without("submods/gce/instance_name")},
	"another ID": {"code": "instance", "claims": _gce({"instance_id": "1"})},
	"ID absent": {"code": "instance", "claims": _without("submods/gce/instance_id")},
	"ID of another type": {"code": "instance", "claims": _gce({"instance_id": 6797026933021542085})},
	"other hardware": {"code": "hardware", "claims": _with({"hwmodel": "GCP_SHIELDED_VM"})},
	"hwmodel absent": {"code": "hardware", "claims": _without("hwmodel")},
	"hwmodel of another type": {"code": "hardware", "claims": _with({"hwmodel": {}})},
}

_boot_cases := {
	"incomplete": {"code": "boot-incomplete", "claims": _boot({"complete": false})},
	"complete absent": {"code": "boot-incomplete", "claims": _without("boot/complete")},
	"complete of another type": {"code": "boot-incomplete", "claims": _boot({"complete": "true"})},
	"PCR 14 not quoted": {"code": "boot-incomplete", "claims": _without("tpm/pcrs/sha256/14")},
	"bank not quoted": {"code": "boot-incomplete", "claims": _boot({"bank": "sha384"})},
	"unexplained": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": [10]})},
	"unexplained of another type": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": {}})},
	"unexplained null": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": null})},
	"firmware debug": {"code": "firmware-debug", "claims": _boot({"uefi_debug": true})},
	"firmware debug absent": {"code": "firmware-debug", "claims": _without("boot/uefi_debug")},
	"firmware debug of another type": {"code": "firmware-debug", "claims": _boot({"uefi_debug": 0})},
	"DMA": {"code": "dma-protection", "claims": _boot({"dma_protection_disabled": true})},
	"DMA absent": {"code": "dma-protection", "claims": _without("boot/dma_protection_disabled")},
	"DMA of another type": {"code": "dma-protection", "claims": _boot({"dma_protection_disabled": "false"})},
	"Secure Boot off": {"code": "secure-boot", "claims": _secure_boot({"enabled": false})},
	"Secure Boot absent": {"code": "secure-boot", "claims": _without("boot/secure_boot/enabled")},
	"Secure Boot of another type": {"code": "secure-boot", "claims": _secure_boot({"enabled": 1})},
	"secboot false": {"code": "secure-boot", "claims": _with({"secboot": false})},
	"secboot absent": {"code": "secure-boot", "claims": _without("secboot")},
	"another platform key": {
		"code": "secure-boot-pk",
		"claims": _secure_boot({"pk": {"certificates": [{"sha256": _other}]}}),
	},
	"PK absent": {"code": "secure-boot-pk", "claims": _without("boot/secure_boot/pk")},
	"PK empty": {"code": "secure-boot-pk", "claims": _secure_boot({"pk": {"certificates": []}})},
	"PK of another type": {"code": "secure-boot-pk", "claims": _secure_boot({"pk": _pk})},
	"owner in db": {
		"code": "secure-boot-db",
		"claims": _secure_boot({"db": {"certificates": [{"sha256": _db}, {"sha256": _other}]}}),
	},
	"db entry without digest": {
		"code": "secure-boot-db",
		"claims": _secure_boot({"db": {"certificates": [{"sha256": _db}, {"type": "x509"}]}}),
	},
	"hash in db": {"code": "secure-boot-db", "claims": _secure_boot({"db": {"hashes": [_other]}})},
	"other entry in db": {"code": "secure-boot-db", "claims": _secure_boot({"db": {"other": [{"sha256": _other}]}})},
	"db absent": {"code": "secure-boot-db", "claims": _without("boot/secure_boot/db")},
	"db of another type": {"code": "secure-boot-db", "claims": _secure_boot({"db": {"certificates": {"sha256": _db}}})},
	"dbx empty": {"code": "secure-boot-dbx", "claims": _secure_boot({"dbx": {"hashes": []}})},
	"dbx without hashes": {"code": "secure-boot-dbx", "claims": _without("boot/secure_boot/dbx/hashes")},
	"dbx absent": {"code": "secure-boot-dbx", "claims": _without("boot/secure_boot/dbx")},
	"dbx of another type": {"code": "secure-boot-dbx", "claims": _secure_boot({"dbx": {"hashes": [1]}})},
	"machine owner key": {
		"code": "secure-boot-authority",
		"claims": _secure_boot({"authority": [
			{"variable": "db", "sha256": _db},
			{"variable": "MokList", "sha256": _other},
		]}),
	},
	"other key of db": {
		"code": "secure-boot-authority",
		"claims": _secure_boot({"authority": [{"variable": "db", "sha256": _other}]}),
	},
	"shim's key without digest": {
		"code": "secure-boot-authority",
		"claims": _secure_boot({"authority": [{"variable": "Shim"}]}),
	},
	"no authority": {"code": "secure-boot-authority", "claims": _secure_boot({"authority": []})},
	"authority absent": {"code": "secure-boot-authority", "claims": _without("boot/secure_boot/authority")},
	"authority of another type": {"code": "secure-boot-authority", "claims": _secure_boot({"authority": "db"})},
	"validation disabled": {
		"code": "shim-validation",
		"claims": _secure_boot({"mok": {"validation_disabled": true}}),
	},
	"validation null": {"code": "shim-validation", "claims": _secure_boot({"mok": {"validation_disabled": null}})},
	"MOK of another type": {"code": "shim-validation", "claims": _secure_boot({"mok": false})},
}

# What has no rank, and what is absent, is below every floor, the lowest too.
test_denied_below_the_floor[note] if {
	some note, case in {
		"Shielded VM": {"claims": _with({"hwmodel": "GCP_SHIELDED_VM"}), "floor": "GCP_AMD_SEV"},
		"SEV": {"claims": _genuine, "floor": "GCP_AMD_SEV_ES"},
		"SEV-ES": {"claims": _with({"hwmodel": "GCP_AMD_SEV_ES"}), "floor": "GCP_INTEL_TDX"},
		"absent": {"claims": _without("hwmodel"), "floor": "GCP_SHIELDED_VM"},
		"null": {"claims": _with({"hwmodel": null}), "floor": "GCP_SHIELDED_VM"},
		"unknown": {"claims": _reported("GCP_AMD_SEV_SNP_2"), "floor": "GCP_SHIELDED_VM"},
		"of another type": {"claims": _with({"hwmodel": ["GCP_INTEL_TDX"]}), "floor": "GCP_SHIELDED_VM"},
		"a rank": {"claims": _with({"hwmodel": 3}), "floor": "GCP_SHIELDED_VM"},
	}
	_decide(case.claims, _floor(case.floor)) == {"allow": false, "codes": {"technology-floor"}}
}

# A list and a floor must both be met.
test_denied_by_either[note] if {
	some note, case in {
		"floor": {"floor": "GCP_INTEL_TDX", "hwmodels": ["GCP_AMD_SEV"], "code": "technology-floor"},
		"list": {"floor": "GCP_SHIELDED_VM", "hwmodels": ["GCP_INTEL_TDX"], "code": "hardware"},
	}
	config := object.union(_config, {"technology_floor": case.floor, "hwmodels": case.hwmodels})
	_decide(_genuine, config) == {"allow": false, "codes": {case.code}}
}

# Without a certificate the root is not known either, so that no root is asked for here.
test_denied_pinned_key[trust] if {
	some trust in ["pinned", "self", null, 1]
	claims := _with({"tpm": {"ak": {"trust": trust}}})
	_decide(claims, json.remove(_config, ["ak_roots"])) == {"allow": false, "codes": {"ak-trust"}}
}

test_denied_by_config[note] if {
	some note, case in {
		"no instances": {"code": "config-instance", "config": json.remove(_config, ["instance_ids", "instance_names"])},
		"not any instance": {"code": "config-instance", "config": object.union(
			json.remove(_config, ["instance_ids", "instance_names"]),
			{"any_instance": false},
		)},
		"none": {"code": "config", "config": {}},
		"null": {"code": "config", "config": null},
		"misspelt": {"code": "config", "config": object.union(_config, {"instance_name": ["forged-vm"]})},
		"without projects": {"code": "config", "config": json.remove(_config, ["project_ids"])},
		"without zones": {"code": "config", "config": json.remove(_config, ["zones"])},
		"without hardware": {"code": "config-hardware", "config": json.remove(_config, ["hwmodels"])},
		"unknown floor": {"code": "config", "config": _floor("GCP_AMD_SEV_SNP_2")},
		"floor as a list": {"code": "config", "config": _floor(["GCP_AMD_SEV"])},
		"without PK": {"code": "config", "config": json.remove(_config, ["secure_boot_pk"])},
		"without db": {"code": "config", "config": json.remove(_config, ["secure_boot_db"])},
		"flag as text": {"code": "config", "config": object.union(_config, {"any_instance": "true"})},
		"upper-case digest": {"code": "config", "config": object.union(_config, {"secure_boot_db": [upper(_db)]})},
		"bound to nothing": {"code": "config", "config": object.union(_config, {"tee_bound_to": []})},
		"bound to something else": {"code": "config", "config": object.union(_config, {"tee_bound_to": ["none"]})},
		"bound to a word": {"code": "config", "config": object.union(_config, {"tee_bound_to": "nonce"})},
		"PCR that must be explained": {"code": "config", "config": object.union(_config, {"unexplained_pcrs": [4]})},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

test_denied_without_claims[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "number": 1, "true": true, "false": false}
	decision := _decide(claims, _config)
	not decision.allow
	{"project", "zone", "instance", "hardware", "ak-trust", "secure-boot", "boot-incomplete"} & decision.codes == {
		"project", "zone", "instance", "hardware", "ak-trust", "secure-boot", "boot-incomplete",
	}
}
